"""Reasoning in four forms of BIG-bench (HIR's): generated questions to learn from, generated and real ones as a test.

Where it takes several steps, the answer comes after its working: who has what after each swap, which order is left.
The answer alone is judged. A wrong solution is the right one to another question, which is found exactly: other
quantities, other swaps, other statements.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from backsight.errors import ConfigError, nearest
from backsight.tasks.base import Item
from backsight.tasks.files import read_rows
from backsight.types import Feedback, Sampling
from benchmarks.hindsight.counting import COUNTS, Counting
from benchmarks.hindsight.deduction import Deduction
from benchmarks.hindsight.questions import LETTERS, Form
from benchmarks.hindsight.tasks import GeneratedTask, Question, draw_distinct, make_items
from benchmarks.hindsight.tracking import Tracking
from benchmarks.shared.places import DATA

REAL_QUESTIONS = DATA / "reasoning" / "bbh" / "test.jsonl.gz"
ENOUGH_FOR_ALL_WORDS = 2000
"""Number of questions that show all words of a form: the rarest is in one of a hundred."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How questions of a form come about."""

    draw: Callable[[random.Random], Form]
    read: Callable[[str], Form]
    answers: tuple[str, ...]


KINDS: Mapping[str, Kind] = {
    "object_counting": Kind(Counting.draw, Counting.read, COUNTS),
    "tracking_shuffled_objects_three_objects": Kind(partial(Tracking.draw, num_people=3), Tracking.read, LETTERS[:3]),
    "tracking_shuffled_objects_five_objects": Kind(partial(Tracking.draw, num_people=5), Tracking.read, LETTERS),
    "logical_deduction_three_objects": Kind(Deduction.draw, Deduction.read, LETTERS[:3]),
}
"""The forms by their names in BIG-Bench Hard."""


class Reasoning(GeneratedTask):
    """Answer with one word, a number or the letter of an option, behind the words of its working.

    Split ``bbh`` holds the real questions where they lie beside the repository. Nothing trained on is one of them.
    """

    def __init__(
        self,
        name: str,
        train_items: int = 10_000,
        test_items: int = 256,
        seed: int = 0,
        real_questions: Path = REAL_QUESTIONS,
    ) -> None:
        """Raises `ConfigError` when there is no form of that name."""
        if name not in KINDS:
            raise ConfigError("task", name, nearest(name, KINDS))
        self.name = name
        self._kind = KINDS[name]
        longest = len(self._kind.draw(random.Random(0)).working) + 2  # the answer, and the end of text
        self.sampling = Sampling(max_completion_length=longest)
        every_word = random.Random(name)
        self.extra_words = (*self._kind.answers, *(self._draw(every_word)[0] for _ in range(ENOUGH_FOR_ALL_WORDS)))
        real = read_real_items(name, real_questions) if real_questions.exists() else []
        drawn = draw_distinct(
            self._draw,
            train_items + test_items,
            random.Random(f"{name} {seed}"),
            besides=[str(each.prompt) for each in real],
        )
        splits = {"train": make_items("train", drawn[test_items:]), "test": make_items("test", drawn[:test_items])}
        super().__init__({**splits, "bbh": real} if real else splits)

    def _draw(self, rng: random.Random) -> Question:
        question = self._kind.draw(rng)
        return str(question), question.solution

    def judge(self, item: Item, completion: str) -> Feedback:
        is_right = completion.split()[-1:] == str(item.target).split()[-1:]
        exact = float(is_right)
        return Feedback(rewards={"exact": exact}, reward=exact, success=is_right, sources=(self.name,))

    def rewrite(self, prompt: str, completion: str, rng: random.Random) -> str | None:
        question = self._kind.read(prompt).rewrite_for(completion.split(), rng)
        return str(question) if question is not None else None


def read_real_items(name: str, source: Path) -> list[Item]:
    """Read the real questions of a form."""
    return [Item(row["id"], row["input"], row["target"]) for row in read_rows(str(source)) if row["task"] == name]
