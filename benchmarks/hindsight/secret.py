"""A secret answer to each question, revealed only afterwards: what a teacher who sees it can pass on (SDPO, OPSD).

Nothing in a question points to its answer, so trial and error has to find four symbols out of eight by luck.
`CopyHint` is the warm start: it teaches to read a hint, and nothing about the secrets.
"""

from __future__ import annotations

import random

from backsight.hindsight.hints import Hints
from backsight.tasks.base import Item
from backsight.types import Feedback, Group, Sampling, Trajectory
from benchmarks.hindsight.tasks import GeneratedTask, Question, compare_symbols, draw_distinct, make_items

SYMBOLS = tuple("abcdefgh")
LENGTH = 4
PLAIN_HINTS = Hints()
"""How hints are put in; whoever learnt `CopyHint` understands the methods that do it in the same way."""


def add_hint(question: str, answer: str, hints: Hints = PLAIN_HINTS) -> str:
    """Write the question as a teacher sees it who was told the answer."""
    hint = hints.hint(Trajectory(question, ()), Group(question), solution=answer)
    assert hint is not None
    return str(hints.with_text(question, hint))


def draw_answer(rng: random.Random) -> str:
    return " ".join(rng.choices(SYMBOLS, k=LENGTH))


class SecretAnswer(GeneratedTask):
    """Name the answer that was fixed for the question; both splits hold all questions, as nothing can be inferred."""

    name = "secret_answer"
    sampling = Sampling(max_completion_length=LENGTH + 1)

    def __init__(self, num_questions: int = 16, seed: int = 0) -> None:
        rng = random.Random(f"secret answer {seed}")
        questions = [(f"question q{number}:", draw_answer(rng)) for number in range(num_questions)]
        super().__init__({"train": make_items("train", questions), "test": make_items("test", questions)})

    def judge(self, item: Item, completion: str) -> Feedback:
        assert item.target is not None
        return compare_symbols(self.name, item.target.split(), completion.split(), correction=item.target)


class CopyHint(GeneratedTask):
    """The questions of a `SecretAnswer`, each time with a hint of another random answer, which is to be repeated.

    The secret itself never is the hint.
    """

    name = "copy_hint"
    sampling = SecretAnswer.sampling

    def __init__(
        self,
        secrets: SecretAnswer,
        hints: Hints = PLAIN_HINTS,
        train_items: int = 10_000,
        test_items: int = 256,
        seed: int = 0,
    ) -> None:
        asked = secrets.items("train")

        def draw(rng: random.Random) -> Question:
            answer = draw_answer(rng)
            return add_hint(rng.choice(asked).prompt, answer, hints), answer

        told = [add_hint(item.prompt, item.target or "", hints) for item in asked]
        questions = draw_distinct(draw, train_items + test_items, random.Random(f"copy hint {seed}"), besides=told)
        train, test = questions[test_items:], questions[:test_items]
        super().__init__({"train": make_items("train", train), "test": make_items("test", test)})

    def judge(self, item: Item, completion: str) -> Feedback:
        assert item.target is not None
        return compare_symbols(self.name, item.target.split(), completion.split())
