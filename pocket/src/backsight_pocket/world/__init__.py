"""A small coherent world in plain English, from which a tiny language model is pretrained."""

from backsight_pocket.world.domain import DOMAINS, HELD_OUT_DOMAINS
from backsight_pocket.world.grammar import sentence
from backsight_pocket.world.recogniser import is_well_formed
from backsight_pocket.world.tags import categories, content_words, tag, vocabulary, words

__all__ = [
    "DOMAINS",
    "HELD_OUT_DOMAINS",
    "categories",
    "content_words",
    "is_well_formed",
    "sentence",
    "tag",
    "vocabulary",
    "words",
]
