"""Everyday topics, and what is asked about them.

Whole areas of topics are held out, and so is one pairing in ten of a trained topic with a request, for good: both
divisions depend on nothing but the words.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

REQUESTS = (
    "Describe {topic} briefly.",
    "Tell me something short about {topic}.",
    "Say in a few words what people like about {topic}.",
    "Give a friend a short piece of advice on {topic}.",
    "Write a short message to a neighbour about {topic}.",
    "Explain {topic} to a child in a few words.",
    "Write a line for a diary about {topic}.",
    "Write a short advertisement for {topic}.",
    "Say briefly what is difficult about {topic}.",
    "Write a short note on {topic}.",
    "Say in short what {topic} can teach us.",
    "Write the first lines of a story about {topic}.",
)
"""Requests for a text about a topic. All are for a short text, and none says how short or of what look."""

_TRAINED = {
    "food": (
        "baking bread, vegetable soup, strawberry jam, a cup of tea, breakfast on Sunday, cooking for a family, "
        "leftover rice, an apple pie, fresh pasta, eating with chopsticks, a picnic basket, homemade pizza, "
        "roasted chestnuts, learning to cook, a spicy curry, pancakes, a jar of honey, a fruit salad, sharing a meal, "
        "a birthday cake"
    ),
    "home": (
        "an old armchair, cleaning the windows, a squeaky door, moving to a new flat, painting a bedroom, "
        "doing the laundry, a broken lamp, a cosy kitchen, sharing a bathroom, a noisy fridge, a leaking tap, "
        "a warm blanket, sorting old clothes, a tidy desk, a house plant, hanging pictures, a spare key, "
        "a quiet attic, washing the dishes, a wooden table"
    ),
    "weather": (
        "a rainy morning, the first snow, a summer storm, thick fog, a windy day, a rainbow, a heat wave, "
        "the autumn leaves, a frosty night, a sunny afternoon, walking in the rain, a cloudy sky, spring flowers, "
        "hail, a cold winter, a warm evening, thunder, ice on the road, a dry summer, the north wind"
    ),
    "animals": (
        "a lazy cat, walking the dog, a bird at the window, feeding ducks, a goldfish, horses on a hill, "
        "a hedgehog in the garden, bees in summer, an old tortoise, a playful puppy, a spider in the bath, "
        "a barking dog, wild rabbits, a hungry squirrel, an owl at night, sheep in the snow, a frog in a pond, "
        "a stray kitten, a parrot that talks, butterflies"
    ),
    "travel": (
        "a night train, packing a suitcase, a lost passport, a trip to the sea, a long bus ride, camping by a lake, "
        "a delayed flight, a small hotel, a map of the city, learning a few words of a language, a ferry, "
        "travelling alone, souvenirs, a mountain hut, a road trip, a crowded airport, a guided tour, a postcard, "
        "a weekend in the country, visiting an island"
    ),
    "school": (
        "the first day of school, homework, a favourite teacher, a school play, learning to read, a spelling test, "
        "a class trip, a science project, the school library, drawing lessons, an exam, lunch at school, "
        "a group project, making friends at school, a maths problem, a school uniform, the summer holidays, "
        "a history lesson, forgetting a book, a chess club"
    ),
    "work": (
        "a job interview, the first day at work, a long meeting, working from home, a kind colleague, a lunch break, "
        "a difficult customer, starting a small business, a busy Monday, asking for a raise, a night shift, "
        "a messy office, learning a trade, an early alarm clock, working in a team, a letter of application, "
        "a helpful manager, a tight deadline, a new computer at work, retirement"
    ),
    "sport": (
        "learning to swim, a football match, running in the park, riding a bicycle, a yoga class, a lost game, "
        "a chess game, climbing a hill, a tennis racket, stretching in the morning, a marathon, ice skating, "
        "a swimming pool, playing as a team, a sore muscle, table tennis, a walk after dinner, a new pair of skates, "
        "a karate lesson, fishing at dawn"
    ),
    "music": (
        "learning the piano, a street musician, a favourite song, an old guitar, a choir, a concert in the park, "
        "a broken string, dancing at a wedding, a lullaby, a drum set, singing in the shower, a record player, "
        "a school band, the sound of a violin, a song in another language, a music festival, a noisy rehearsal, "
        "whistling, a piano lesson, listening to the radio"
    ),
    "friends": (
        "an old friend, a birthday party, a letter from a friend, a good neighbour, saying sorry, a surprise visit, "
        "keeping a secret, a long phone call, a board game night, making new friends, a small gift, a promise, "
        "a misunderstanding, helping someone move, a shared joke, a reunion, a pen pal, borrowing a book, "
        "listening to a friend, a farewell"
    ),
    "town": (
        "a busy street, the town library, a flea market, waiting for a bus, a playground, a bakery on the corner, "
        "a traffic jam, a street lamp, a public park, a small museum, a bridge at night, a lost umbrella, "
        "the post office, a fountain, the weekly market, a new bus line, a quiet bench, a barber shop, a bookshop, "
        "a town festival"
    ),
    "health": (
        "a good night's sleep, a cold, drinking enough water, a visit to the dentist, a healthy breakfast, "
        "taking a deep breath, a broken arm, washing your hands, a day without a phone, a headache, "
        "walking to work, a first aid kit, a new pair of glasses, eating vegetables, a nap, staying calm, "
        "a sunburn, a bad habit, getting up early, laughing"
    ),
}
"""Topics that are trained, by area, with commas between them."""

_HELD_OUT = {
    "garden": (
        "planting tomatoes, a rose bush, mowing the lawn, an apple tree, watering the plants, weeds, a garden fence, "
        "a compost heap, a greenhouse, picking cherries, a garden chair, snails in the lettuce, sunflowers, "
        "a vegetable patch, a rusty spade"
    ),
    "machines": (
        "an old radio, a mobile phone, a slow computer, a washing machine, a steam engine, a wristwatch, a camera, "
        "an electric car, a sewing machine, a robot in the house, a typewriter, a dead battery, a lift, a drone, "
        "a coffee machine"
    ),
    "money": (
        "saving money, a piggy bank, a lost wallet, the first salary, a second-hand shop, paying a bill, "
        "a good bargain, lending money to a friend, a lottery ticket, pocket money, a shopping list, a gift card, "
        "an old coin, a sale, a monthly budget"
    ),
}
"""Topics that are held out, by area."""


def _listed(areas: dict[str, str]) -> tuple[str, ...]:
    return tuple(topic for topics in areas.values() for topic in topics.split(", "))


TOPICS = _listed(_TRAINED)
"""Topics that are trained."""
HELD_OUT_TOPICS = _listed(_HELD_OUT)
"""Topics that are only evaluated."""
HELD_OUT_SHARE = 0.1
"""Share of the pairings of a trained topic with a request that is only evaluated."""


def draw_request(topics: Sequence[str], rng: random.Random, *, held_out: bool | None = None) -> str:
    """Draw a request about one of the topics; `held_out` draws it among the pairings that are held out, or are not."""
    while True:
        topic, request = rng.choice(topics), rng.choice(REQUESTS)
        if held_out is None or is_held_out(topic, request) == held_out:
            return request.format(topic=topic)


def is_held_out(topic: str, request: str) -> bool:
    """Return whether this request is never trained about this topic."""
    return random.Random(f"{request} {topic}").random() < HELD_OUT_SHARE
