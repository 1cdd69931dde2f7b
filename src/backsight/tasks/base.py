"""The base classes of tasks: what to solve (`Item`), and how it is played and scored (`Task`).

A task makes its own episodes and its own source of feedback. Most tasks are prompts with a judge: `PromptTask`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Self, TypeVar, overload

from backsight.errors import DataError, RewardError, describe, nearest
from backsight.interfaces import Environment, FeedbackSource, StepResult
from backsight.seeds import derive_seed
from backsight.tasks.forms import INSTRUCTION, SHOTS, SYSTEM_PROMPT, PromptForm
from backsight.types import Action, Feedback, Observation, Trajectory

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to solve."""

    id: str
    prompt: Observation
    """Prompt as text or as chat messages."""
    target: str | None = None
    """Gold answer, where there is one. Supervised fine-tuning learns it; reinforcement learning never sees it."""
    columns: Mapping[str, Any] = field(default_factory=dict)
    """All other columns of the row, which reward functions receive by name."""


@dataclass(frozen=True, slots=True)
class LazyItems(Sequence[Item]):
    """Items that are made when they are asked for; the same number always gives the same item."""

    length: int
    make: Callable[[int], Item]
    """A function from an item's number, counted from 0, to the item."""

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            return [self.make(each) for each in range(*index.indices(self.length))]
        if not -self.length <= index < self.length:
            raise IndexError(index)
        return self.make(index % self.length)


def generate_items(name: str, length: int, make: Callable[[Random, str], Item]) -> LazyItems:
    """Make a split of `length` items, each from a random stream of its own; `make` is given that and the item's id."""
    return LazyItems(length, lambda number: make(Random(f"{name} {number}"), f"{name}-{number}"))


def find_split(splits: Mapping[str, _T], split: str) -> _T:
    """Return what stands for a split, such as its items.

    Raises:
        DataError: when there is no such split.
    """
    if split not in splits:
        raise DataError("split", split, nearest(split, splits))
    return splits[split]


def draw_indices(count: int, most: int) -> Sequence[int]:
    """Return the numbers of up to `most` of `count` items, in order: a draw that is the same in every run.

    The first items would not do, because rows are often sorted, for instance by label.
    """
    if count <= most:
        return range(count)
    return sorted(Random(derive_seed("looked at", count)).sample(range(count), most))


def draw_items(items: Sequence[Item], most: int) -> list[Item]:
    """Return up to `most` of the items; see `draw_indices`."""
    return [items[index] for index in draw_indices(len(items), most)]


def has_full_marks(feedback: Feedback, full_marks: float) -> bool:
    """Return whether an answer got the reward of a gold answer."""
    return feedback.reward is not None and abs(feedback.reward - full_marks) <= 1e-6


Fits = Callable[[Observation], bool]
"""A function that says whether a prompt leaves room for a completion."""


class Task(ABC):
    """Items in named splits, the episodes that are played on them, and the source of feedback for them."""

    name: str
    train_split: str = "train"
    eval_splits: tuple[str, ...] = ()
    """Names of the evaluation splits. The first is in domain; stop conditions and the choice of a checkpoint use it."""
    full_marks: float = 1.0
    """Reward of a gold answer."""
    labels: tuple[str, ...] = ()
    """All possible answers, where they can be listed: a classifier chooses from them."""
    understood: str | None = None
    """Name of the reward that says whether an answer could be understood, where there is one."""
    metrics: tuple[str, ...] = ()
    """Names of rewards to report beside the reward, such as ``("chrf", "exact")``."""

    @property
    def remarks(self) -> Sequence[str]:
        """What the user should know of the data before the run; nothing by default."""
        return ()

    @abstractmethod
    def items(self, split: str) -> Sequence[Item]:
        """Return the items of a split, always the same and in the same order."""

    @abstractmethod
    def episode(self, item: Item, fits: Fits | None = None) -> Environment:
        """Make a fresh attempt at an item. `fits` says whether a prompt leaves room for a completion."""

    @abstractmethod
    def feedback(self) -> FeedbackSource:
        """Make the task's own source of feedback, which other sources may replace or join."""

    def split_metrics(self, items: Sequence[Item], completions: Sequence[str]) -> Mapping[str, float]:
        """Compute named figures of a whole split that are not means over its items; none by default.

        They are reported with bootstrap intervals. `completions` has one completion for each of the items, which may
        repeat.
        """
        return {}

    def recorded_turns(self) -> Sequence[Item]:
        """Return held-back turns of a log, whose likelihood is compared before and after training; none by default."""
        return ()

    def shorten(self, item: Item, fits: Fits) -> Item | None:
        """Return the item with as much of its prompt as `fits` allows; None when nothing can be left out."""
        return None

    def in_form(self, form: PromptForm) -> Self:
        """Return the task with its prompts in this form. By default they stay as the task writes them.

        Raises:
            ConfigError: when a setting of the form does not fit.
        """
        form.refuse(self.name, INSTRUCTION, SYSTEM_PROMPT, SHOTS)
        return self

    def with_items(self, items: Mapping[str, Sequence[Item]]) -> Self:
        """Return the same task with other items in these splits. A task that shortens items has to define this."""
        raise NotImplementedError

    def validate(self, split: str, limit: int = 200) -> int:
        """Grade the gold answers of up to `limit` items that are drawn, and return how many were graded.

        It is 0 for a task without a judge.

        Raises:
            DataError: when a gold answer does not get full marks, so the judge or the row is wrong.
        """
        return 0


class PromptTask(Task):
    """A task of prompts that are answered in one turn, with a judge for the answers.

    `judge` must be a pure function of its arguments: the same completion always gets the same feedback.
    """

    @abstractmethod
    def judge(self, item: Item, completion: str) -> Feedback:
        """Return the feedback that is revealed after a completion."""

    def relabel_prompt(self, item: Item, completion: str, seed: int) -> Observation | None:
        """Return a prompt that the completion would have answered in full; None when the task knows of none.

        `seed` chooses among several prompts, so that the same failure need not always teach the same thing.
        """
        return None

    def episode(self, item: Item, fits: Fits | None = None) -> Environment:
        return SingleTurn(item)

    def feedback(self) -> FeedbackSource:
        return TaskVerifier(self)

    def validate(self, split: str, limit: int = 200) -> int:
        graded = 0
        for item in draw_items(self.items(split), limit):
            if item.target is None:
                continue
            feedback = self.judge(item, item.target)
            if not has_full_marks(feedback, self.full_marks):
                raise DataError(
                    f"{split}/{item.id}.target",
                    item.target,
                    f"the gold answer scores {feedback.reward}, not {self.full_marks}; mend the row or the judge",
                )
            graded += 1
        return graded


class SingleTurn:
    """An item as an episode of one step: the prompt is observed, and the completion is the action.

    The reward comes afterwards, from the source of feedback.
    """

    def __init__(self, item: Item) -> None:
        self.item = item

    def reset(self) -> Observation:
        return self.item.prompt

    def step(self, action: Action) -> StepResult:
        return StepResult(None, terminated=not action.is_truncated, truncated=action.is_truncated)


class TaskVerifier:
    """A task's own judge as a source of feedback, with what a failed attempt would have been right for.

    It judges trajectories whose start is an `Item` of the task and whose last action is the completion. If an attempt
    in a single step did not succeed, it also asks the task which prompt the completion would have answered, and reveals
    that prompt. It does not ask about longer episodes, for which the task cannot say how each observation would have
    read, nor about attempts that were cut off: they have achieved nothing, and imitating them would teach the policy
    never to end.
    """

    def __init__(self, task: PromptTask) -> None:
        self.task = task
        self.busy = (f"task '{task.name}'",)

    def __call__(self, trajectories: Sequence[Trajectory], seeds: Sequence[int]) -> Sequence[Feedback]:
        """Return one feedback a trajectory, in their order.

        Raises:
            RewardError: when the task's judge failed, or gave no reward that is finite. Of an item without a gold
                answer, a judge may have nothing to say.
        """
        return [
            self._judge(trajectory, derive_seed(seed, "relabelled"))
            for trajectory, seed in zip(trajectories, seeds, strict=True)
        ]

    def _judge(self, trajectory: Trajectory, seed: int) -> Feedback:
        item: Item = trajectory.start
        text = completion_text(trajectory)
        try:
            feedback = self.task.judge(item, text)
            is_known = feedback.reward is not None or item.target is None  # without a gold answer, nobody may know
            is_usable = is_known and (feedback.reward is None or math.isfinite(feedback.reward))
            prompt = None
            if not feedback.success and len(trajectory.steps) == 1 and trajectory.steps[0].terminated:
                prompt = self.task.relabel_prompt(item, text, seed)
        except (Exception, SystemExit) as error:  # a task may be anybody's code
            remedy = f"the judge of {text!r} {describe(error)}; mend the task"
            raise RewardError(f"task '{self.task.name}'", f"item {item.id}", remedy) from error
        if not is_usable:
            remedy = f"the judge gave {text!r} the reward {feedback.reward}; give gold answers or reward functions"
            raise RewardError(f"task '{self.task.name}'", f"item {item.id}", remedy)
        return feedback if prompt is None else replace(feedback, achieved_prompts=(prompt,))


def completion_text(trajectory: Trajectory) -> str:
    """Return the text of the last action, without thinking.

    Raises:
        RewardError: when the action has no text, so that there is nothing to judge.
    """
    text = trajectory.steps[-1].action.answer
    if text is None:
        raise RewardError("action.text", None, "only a language model's completions can be judged as text")
    return text
