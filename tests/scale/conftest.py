"""The models and data that all tests of several ranks learn from, made once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_models import learner, learning_classifier, learning_seq2seq

LABELS = ("positive", "negative")
ANSWERS = ("positive",) * 4 + ("negative",)


@pytest.fixture(scope="session")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model of each kind, and texts that most are positive of."""
    place = tmp_path_factory.mktemp("kit")
    learner(LABELS).save(place / "llama")
    learning_seq2seq(LABELS).save(place / "t5")
    learning_classifier(LABELS, LABELS).save(place / "bert")
    rows = ({"text": f"t{each}", "label": ANSWERS[each % len(ANSWERS)]} for each in range(40))
    (place / "rows.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    return place
