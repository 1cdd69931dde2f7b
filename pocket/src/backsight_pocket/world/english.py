"""The writer of clauses in English: "The old sailors did not moor a boat in the harbour yesterday." """

from __future__ import annotations

from backsight_pocket.world.clauses import PRONOUNS, Clause, Phrase, nouns, predicates
from backsight_pocket.world.lexicon import article


def sentence(clause: Clause) -> str:
    """Write the clause as a sentence."""
    return capitalise(clause_in_words(clause)) + "."


def capitalise(text: str) -> str:
    """Return the text with a capital letter at its start."""
    return text[:1].upper() + text[1:]


def clause_in_words(clause: Clause) -> str:
    """Write the clause as it stands within a sentence."""
    parts = [phrase_in_words(clause.subject), verb_group(clause), clause.state]
    if clause.object is not None:
        parts.append(phrase_in_words(clause.object))
    if clause.place is not None:
        parts += [preposition(clause), phrase_in_words(clause.place)]
    return " ".join(filter(None, (*parts, clause.time)))


def short_form(clause: Clause) -> str:
    """Write the clause as in a headline: without articles, qualities and time, and with a place only if one goes there.

    Examples: "sailors did not moor boat", "captain walked to pier", "boat was leaky".
    """
    parts = [noun_in_words(clause.subject), verb_group(clause), clause.state]
    if clause.object is not None:
        parts.append(noun_in_words(clause.object))
    if clause.place is not None and predicates()[clause.verb].manner == "go":
        parts += [preposition(clause), noun_in_words(clause.place)]
    return " ".join(filter(None, parts))


def phrase_in_words(phrase: Phrase) -> str:
    """Write a phrase, like "the old boat", "a boat", "some boats", "Anna" or "they"."""
    if phrase.noun in PRONOUNS or nouns()[phrase.noun].fixed:
        return phrase.noun
    core = f"{phrase.quality} {noun_in_words(phrase)}".strip()
    if phrase.known:
        return f"the {core}"
    is_one = bool(nouns()[phrase.noun].plural) and not phrase.plural
    return f"{article(core)} {core}" if is_one else f"some {core}"


def noun_in_words(phrase: Phrase) -> str:
    """Write the noun alone, in its number."""
    return nouns()[phrase.noun].plural if phrase.plural and phrase.noun not in PRONOUNS else phrase.noun


def verb_group(clause: Clause) -> str:
    """Write the verb with its auxiliaries, like "moored", "does not moor" or "will be"."""
    never = "not" if clause.negated else ""
    person, plural = PRONOUNS.get(clause.subject.noun, (3, clause.subject.plural))
    if clause.verb == "be":
        group = (_be(clause.tense, person, plural), never) if clause.tense != "future" else ("will", never, "be")
        return " ".join(filter(None, group))
    forms = predicates()[clause.verb].forms
    is_third = person == 3 and not plural
    if clause.tense == "future":
        return " ".join(filter(None, ("will", never, forms.base)))
    if clause.negated:
        auxiliary = "did" if clause.tense == "past" else "does" if is_third else "do"
        return f"{auxiliary} not {forms.base}"
    return forms.past if clause.tense == "past" else forms.third if is_third else forms.base


def _be(tense: str, person: int, plural: bool) -> str:
    if plural or person == 2:
        return "were" if tense == "past" else "are"
    return "was" if tense == "past" else "am" if person == 1 else "is"


def preposition(clause: Clause) -> str:
    """Return the preposition of the place: "to" where one goes there, or else the place's own; "" without a place."""
    if clause.place is None:
        return ""
    return "to" if predicates()[clause.verb].manner == "go" else nouns()[clause.place.noun].preposition
