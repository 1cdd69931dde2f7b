"""Words that every domain shares: names, general nouns, qualities and verbs, and the function words."""

NAMES = """
people names: Anna=she Ben=he Clara=she David=he Emma=she Felix=he Greta=she Henry=he Irene=she Jonas=he
people names: Karen=she Leo=he Maria=she Nathan=he Olga=she Peter=he Quentin=he Rita=she Samuel=he Tessa=she
people names: Umberto=he Vera=she Walter=he Xenia=she Yusuf=he Zoe=she Adam=he Bertha=she Carlos=he Diana=she
people names: Edgar=he Fatima=she Gustav=he Helen=she Ivan=he Julia=she Kurt=he Laura=she Martin=he Nora=she
people names: Oscar=he Paula=she Ralph=he Sarah=she Thomas=he Ursula=she Victor=he Wanda=she Amir=he Bella=she
people names: Conrad=he Dora=she Elias=he Frida=she Georg=he Hannah=she Isaac=he Judith=she Lucas=he
people names: Monica=she
"""

SHEET = """
people folk: man/men=he woman/women=she boy=he girl=she child/children neighbour stranger friend
weather: sun^ rain^ wind^ storm^ fog^

qualities people names: old+ young+ tall+ kind+ clever happy tired hungry busy careful lazy brave
qualities people names: friendly honest polite proud shy strong+ angry
qualities animals: old+ young+ small+ big+ hungry tired lazy quick+ strong+ wild+ tame shy
qualities things: old+ new+ small+ large+ heavy+ cheap+ strange useful beautiful
qualities mass: cheap+ fresh fine good
qualities places: quiet+ large+ crowded empty dark+ pleasant famous
qualities events: long+ short+ noisy wonderful boring

do find/found: people > portable
do carry: people > portable
do lose/lost: people > things
do hold/held: people > portable
do lift: people > things
do buy/bought: people > portable
do hide/hid/hidden: people > portable
do follow: people animals > people animals
do meet/met: people > people
do help: people > people
do thank: people > people
do call: people > people animals
do chase: people animals > animals
do feed/fed: people > animals
feel notice: people animals > people animals things
feel see/saw/seen: people animals > people animals things places
do fetch: people > portable
do bring/brought: people > portable
do visit: people > places
do reach: people animals > places
do enter: people > places
do describe: people > people animals things places
do count: people > things animals
do arrive: people
do sleep/slept: people animals
do laugh: people
do smile: people
do wait: people animals
do sing/sang: people
do sit/sat: people animals
do stand/stood: people animals
do work: people
do whisper: people
do shout: people
do start: events
do end: events
do shine/shone: sun
do stop: rain wind storm events
do fall/fell: rain
do blow/blew: wind
do pass: storm
do vanish: fog

feel like: people > people animals things places
feel love: people > animals places
feel fear: people > animals people
feel need: people > things mass
feel remember: people > people animals places things events
feel admire: people > people animals things places
feel forget/forgot/forgotten: people > things events
feel enjoy: people > events

go walk: people animals
go wander: people animals
go hurry: people
go return: people animals
go march: people
go run/ran: people animals
go stroll: people
go creep/crept: people animals

say know/knew: people
say think/thought: people
say believe: people
say say/said: people
say hope: people
say explain: people

want want: people
want decide: people
want try: people
want refuse: people
want plan: people
want manage: people
want promise: people

give give/gave/given: people > portable
give show/showed/shown: people > things
give lend/lent: people > things
give sell/sold: people > portable
give offer: people > portable
"""

# Every other word that the grammar writes, by its lexical class. A word in several roles has a class of its own.
FUNCTION_WORDS = {
    "a": "a",
    "an": "an",
    "the": "the",
    "her": "her",
    "that": "that",
    "to": "to",
    "of": "of",
    "by": "by",
    "with": "with",
    "coordinator": "and but",
    "who": "who",
    "where": "where",
    "there": "there",
    "than": "than",
    "not": "not",
    "too": "too",
    "it": "it",
    "be singular": "is was",
    "be plural": "are were",
    "had": "had",
    "did": "did",
    "does": "does",
    "do": "do",
    "be": "be",
    "subject pronoun singular": "he she",
    "subject pronoun plural": "they",
    "object pronoun": "him them",
    "determiner": "every each another last one his its their",
    "number": "some two three four five six seven several many",
    "modal": "could must will would can should may",
    "conjunction": "when while because although until if",
    "before": "before after",
    "preposition": "in on at near behind beside",
    "direction": "through across towards past from",
    "frequency": "always often never usually sometimes rarely",
    "degree": "very rather quite",
    "adverb": "slowly quietly carefully quickly suddenly happily proudly yesterday today again",
    "time noun": "day morning afternoon evening night noon dawn winter summer autumn week year lunch"
    " breakfast monday tuesday wednesday thursday friday saturday sunday",
    "during": "during",
}

# The kinds that definitions name: "A harbour is a place where sailors moor boats."
HYPERNYMS = {"person": "person", "animal": "animal", "place": "place", "thing": "thing"}

PAST_TIMES = (
    "yesterday", "last night", "last week", "last winter", "one morning", "one evening", "one afternoon",
    "one day", "on Monday", "on Tuesday", "on Wednesday", "on Thursday", "on Friday", "on Saturday",
    "on Sunday", "in the morning", "in the evening", "at noon", "at night", "at dawn", "before lunch",
    "after breakfast", "in the afternoon", "last summer", "last year", "again",
)  # fmt: skip
PRESENT_TIMES = (
    "every morning", "every day", "every evening", "every week", "in winter", "in summer", "in autumn",
    "in the morning", "in the afternoon", "in the evening", "at night", "at noon", "at dawn", "today",
    "on Sunday", "on Monday", "every year", "before lunch", "after breakfast", "again",
)  # fmt: skip
MANNERS = ("slowly", "quietly", "carefully", "quickly", "suddenly", "happily", "proudly")
CALM_MANNERS = ("quietly", "happily", "proudly")  # for sleeping or waiting
MODALS = ("can", "must", "will", "should", "may")
PAST_MODALS = ("could", "must", "should")  # of passives
FREQUENCIES = ("always", "often", "never", "usually", "sometimes", "rarely")
PLURAL_NUMBERS = ("two", "three", "four", "five", "six", "seven", "several", "many", "some")
DEGREES = ("very", "rather", "quite")
# Where a motion goes, by the preposition of the place.
DIRECTIONS = {
    "in": ("to", "to", "to", "towards", "past", "from", "through"),
    "on": ("to", "to", "to", "towards", "from", "across"),
    "at": ("to", "to", "to", "towards", "past", "from"),
}
BESIDES = ("near", "behind", "beside")
