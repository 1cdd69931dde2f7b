"""A secret answer to each question, revealed only afterwards: what a teacher who sees it can pass on (SDPO, OPSD).

Nothing in a question points to its answer, so trial and error has to find four symbols out of eight by luck.
`CopyHint` is the warm start: it teaches to read a hint, and nothing about the secrets.
"""

from __future__ import annotations

import random

from hindsight_tasks import GeneratedTask, Question, distinct, exact_feedback, items_of

from backsight.hindsight.hints import Hints
from backsight.tasks.base import Item
from backsight.types import Feedback, Group, Sampling, Trajectory

SYMBOLS = tuple("abcdefgh")
LENGTH = 4
PLAIN_HINTS = Hints()
"""Whoever learnt `CopyHint` understands the methods that put their hints in the same way."""


def hinted_prompt(question: str, answer: str, hints: Hints = PLAIN_HINTS) -> str:
    """The question as a teacher sees it who was told the answer."""
    hint = hints.hint(Trajectory(question, ()), Group(question), solution=answer)
    assert hint is not None
    return str(hints.with_text(question, hint))


def random_answer(rng: random.Random) -> str:
    return " ".join(rng.choices(SYMBOLS, k=LENGTH))


class SecretAnswer(GeneratedTask):
    """Name the answer that was fixed for the question; both splits hold all questions, as nothing can be inferred."""

    name = "secret_answer"
    sampling = Sampling(max_completion_length=LENGTH + 1)

    def __init__(self, num_questions: int = 16, seed: int = 0) -> None:
        rng = random.Random(f"secret answer {seed}")
        questions = [(f"question q{number}:", random_answer(rng)) for number in range(num_questions)]
        super().__init__({"train": items_of("train", questions), "test": items_of("test", questions)})

    def judge(self, item: Item, completion: str) -> Feedback:
        assert item.target is not None
        return exact_feedback(self.name, item.target.split(), completion.split(), correction=item.target)


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
            answer = random_answer(rng)
            return hinted_prompt(rng.choice(asked).prompt, answer, hints), answer

        told = [hinted_prompt(item.prompt, item.target or "", hints) for item in asked]
        questions = distinct(draw, train_items + test_items, random.Random(f"copy hint {seed}"), besides=told)
        train, test = questions[test_items:], questions[:test_items]
        super().__init__({"train": items_of("train", train), "test": items_of("test", test)})

    def judge(self, item: Item, completion: str) -> Feedback:
        assert item.target is not None
        return exact_feedback(self.name, item.target.split(), completion.split())
