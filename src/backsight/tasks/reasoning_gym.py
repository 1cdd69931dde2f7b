"""Tasks of reasoning-gym by name: generated questions with a judge. This is the only file that imports reasoning_gym.

    ReasoningGymTask("chain_sum", options={"max_terms": 3})      or, as a preset,  reasoning-gym:chain_sum,max_terms=3

A data set's own scoring function judges, from 0 to 1. Some of these functions pass the answer to Python's `eval`, or to
sympy's parser, which evaluates as well. Others repeat a step as often as the answer says, or can be fooled. What a
model wrote is data and must not run, so those tasks are refused (`REFUSED`), or their judges see only answers of a
harmless form (`HARMLESS`).
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, Self

from backsight.errors import ConfigError, nearest
from backsight.tasks.base import Item, LazyItems, PromptTask, find_split
from backsight.tasks.forms import SHOTS, PromptForm, check_template, fill
from backsight.types import Feedback

REFUSED = {
    "binary_matrix": "its judge evaluates the answer as Python",
    "codeio": "its questions come from programs that it runs, and are not the same ones when asked for again",
    "composite": "it mixes other tasks, some of which evaluate the answer; name one of them",
    "game_of_life_halting": "its judge gives any answer full marks",
    "intermediate_integration": "its judge evaluates the answer as Python, with sympy",
    "n_queens": "its judge evaluates the answer as Python",
    "polynomial_multiplication": "its judge evaluates the answer as Python, with sympy",
    "propositional_logic": "its judge tries all truth values of as many variables as the answer names",
    "simple_integration": "its judge evaluates the answer as Python, with sympy",
    "spiral_matrix": "its judge evaluates the answer as Python",
    "string_insertion": "its judge evaluates the answer as Python",
}
"""Tasks that are refused, with the reason."""

_ARITHMETIC = re.compile(r"(?!.*\*\s*\*)[0-9+\-*/(). ]{1,200}")
_SMALL_COUNTS = re.compile(r"(?!.*\d\d).*", re.DOTALL)
HARMLESS = {
    "coin_flip": re.compile(r"[0-9.,/ ]{1,50}(e-?[0-9]{1,2})?"),  # "1e999999999" would be a number of that many digits
    "complex_arithmetic": re.compile(r"[0-9ij+\-. ()]{1,100}"),  # "nan" would get full marks
    "countdown": _ARITHMETIC,  # evaluated with sympy: numbers and the four operations, no powers
    "puzzle24": _ARITHMETIC,
    "rubiks_cube": _SMALL_COUNTS,  # "R999999999" would be turned that often
    "rush_hour": _SMALL_COUNTS,
}
"""Form of the answers that a task's judge may see; any other answer is wrong."""

INSTRUCTION = "Write the answer alone, or else between <answer> and </answer>."
FULL_SCORE = 1 - 1e-6
PARTLY = 0.1
"""Least score of an answer that is called partly right; many judges give a little less for any answer."""
LONGEST_SHOWN = 100

_OWN_OPTIONS = {"seed": "seed", "size": "train_size and test_size"}
"""Options of a data set that the splits need, with the arguments of the task that set them."""

_TAGGED = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)


class ReasoningGymTask(PromptTask):
    """A task of a data set of reasoning-gym, with a split to train on and one to test on.

    The reward is the data set's score and may be partial; a success has the full score. The feedback on a failed
    attempt holds the right answer (`Feedback.correction`), or one of them where several are right.

    Args:
        dataset: the data set's name in reasoning-gym.
        train_size, test_size: numbers of items, which have seeds of their own; a small space of questions may still
            repeat some.
        seed: the seed of the first item.
        options: the options of the data set, such as how hard its questions are.
        instruction: how to answer, put below the question.

    Raises:
        ConfigError: when reasoning-gym is not installed or has no such data set or option, or when the task is one of
            `REFUSED`.
    """

    eval_splits = ("test",)
    metrics = ("readable",)
    understood = "readable"

    def __init__(
        self,
        dataset: str,
        *,
        train_size: int = 10_000,
        test_size: int = 200,
        seed: int = 0,
        options: Mapping[str, Any] | None = None,
        instruction: str = INSTRUCTION,
    ) -> None:
        for field, size in (("train_size", train_size), ("test_size", test_size)):
            if size < 1:
                raise ConfigError(field, size, "has to be at least 1")
        self.name, self.dataset, self.instruction = f"reasoning-gym:{dataset}", dataset, instruction
        check_dataset(dataset, options or {})
        # the item at an index is drawn from seed + index: the splits must not overlap
        starts = {"train": (seed, train_size), "test": (seed + train_size, test_size)}
        made = {
            split: _made(dataset, {**(options or {}), "seed": first, "size": size})
            for split, (first, size) in starts.items()
        }
        self._judge = made["train"].score_answer
        self._splits = {split: _questions(each, starts[split][1], instruction) for split, each in made.items()}

    def items(self, split: str) -> Sequence[Item]:
        return find_split(self._splits, split)

    def in_form(self, form: PromptForm) -> Self:
        """Return the task in this form. An instruction is a template of the `question`.

        Raises:
            ConfigError: when the instruction does not name it, or there are to be examples.
        """
        form.refuse(self.name, SHOTS)
        if form.instruction is not None:
            check_template(form.instruction, ["question"])

        def written(items: LazyItems) -> LazyItems:
            def make(number: int) -> Item:
                item = items[number]
                asked = item.prompt if form.instruction is None else fill(form.instruction, item.columns)
                return replace(item, prompt=form.wrap(asked))

            return LazyItems(len(items), make)

        twin = copy.copy(self)
        twin._splits = {split: written(items) for split, items in self._splits.items()}
        return twin

    def judge(self, item: Item, completion: str) -> Feedback:
        answer = _answer(completion)
        score = self._score(item, answer)
        reward = 0.0 if score is None else score
        success = reward >= FULL_SCORE
        return Feedback(
            rewards={"score": reward, "readable": float(score is not None)},
            reward=reward,
            success=success,
            text=None if success else _comment(answer, score),
            correction=None if success else item.target,
            sources=(self.name,),
        )

    def _score(self, item: Item, answer: str) -> float | None:
        """Score the answer from 0 to 1; None when it cannot be read, or its form is not harmless."""
        form = HARMLESS.get(self.dataset)
        if form is not None and form.fullmatch(answer) is None:
            return None
        entry = copy.deepcopy(dict(item.columns))  # a judge may play on the board that it is given
        try:
            score = float(self._judge(answer=answer, entry=entry))
        except Exception:  # judges fail on malformed answers; one that fails on gold answers is found by `validate`
            return None
        return min(1.0, max(0.0, score)) if math.isfinite(score) else None


def check_dataset(name: str, options: Mapping[str, Any]) -> None:
    """Check that a data set can be made with these options.

    Raises:
        ConfigError: when the task is unknown or refused, or an option does not fit.
    """
    for option in _OWN_OPTIONS:
        if option in options:
            remedy = "is chosen so that the splits differ; leave it out, or make a ReasoningGymTask with "
            raise ConfigError(f"reasoning-gym:{name}, option {option}", options[option], remedy + _OWN_OPTIONS[option])
    _made(name, {**options, "seed": 0, "size": 1})


def _made(name: str, settings: dict[str, Any]) -> Any:
    try:
        from reasoning_gym.factory import DATASETS, create_dataset
    except ImportError as error:
        remedy = "reasoning-gym is not installed: pip install 'backsight[reasoning]'"
        raise ConfigError("task", f"reasoning-gym:{name}", remedy) from error
    if name in REFUSED:
        raise ConfigError("task", f"reasoning-gym:{name}", f"refused: {REFUSED[name]}")
    if name not in DATASETS:
        raise ConfigError("task", f"reasoning-gym:{name}", f"unknown; {nearest(name, DATASETS.keys() - REFUSED)}")
    known = {field.name for field in fields(DATASETS[name][1])}
    for key in settings:
        if key not in known:
            raise ConfigError(
                f"reasoning-gym:{name}, option", key, f"unknown; {nearest(key, known - {'seed', 'size'})}"
            )
    try:
        return create_dataset(name, **settings)
    except Exception as error:  # each data set checks its options in its own way, mostly by assertions
        shown = ", ".join(f"{key}={value}" for key, value in settings.items())
        raise ConfigError(
            f"reasoning-gym:{name}", shown, f"{type(error).__name__}: {error}; change the options"
        ) from error


def _answer(completion: str) -> str:
    """Return what stands between the last answer tags, or else the whole completion."""
    tagged = _TAGGED.findall(completion)
    return str(tagged[-1] if tagged else completion).strip()


def _comment(answer: str, score: float | None) -> str:
    if not answer:
        return "There is no answer."
    shown = repr(answer if len(answer) <= LONGEST_SHOWN else answer[:LONGEST_SHOWN] + "…")
    if score is None:
        return f"The answer {shown} cannot be read."
    return f"The answer {shown} is {'partly right' if score >= PARTLY else 'wrong'}."


def _questions(dataset: Any, size: int, instruction: str) -> LazyItems:
    def make(number: int) -> Item:
        entry = dataset[number]
        prompt = f"{entry['question']}\n{instruction}\n" if instruction else entry["question"]
        target = entry["answer"]  # None where no solution is kept
        return Item(str(number), prompt, None if target is None else str(target), entry)

    return LazyItems(size, make)
