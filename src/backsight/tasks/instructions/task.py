"""The task `instructions`: answer a request on an everyday topic so that several constraints hold at once."""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

from backsight.errors import ConfigError
from backsight.seeds import derive_seed
from backsight.tasks.base import Item, PromptTask, find_split, generate_items
from backsight.tasks.forms import INSTRUCTION, PLAIN, SHOTS, PromptForm
from backsight.tasks.instructions.answer import Answer
from backsight.tasks.instructions.constraints import Constraint
from backsight.tasks.instructions.kinds import HELD_OUT_KINDS, KINDS, MARKED, draw_constraints
from backsight.tasks.instructions.mending import mend
from backsight.tasks.instructions.relabelling import satisfied_constraints
from backsight.tasks.instructions.topics import HELD_OUT_TOPICS, TOPICS, draw_request
from backsight.types import Feedback, Observation

TRAIN_ITEMS = 1_000_000
"""Number of items of the training split, far more than a run sees."""
MOST_CONSTRAINTS = 6
"""Largest number of constraints that still go together in many ways."""


@dataclass(frozen=True, slots=True)
class Split:
    """The number of items of a split, and what they are drawn from."""

    length: int
    kinds: Sequence[type[Constraint]]
    num_constraints: int
    topics: Sequence[str]
    held_out_requests: bool | None = None
    """Whether requests are pairings with a topic that are held out; None takes all."""


class InstructionsTask(PromptTask):
    """Requests with constraints that anybody could check, such as a word to use, a length or a title.

    Splits: ``train`` and ``in_domain`` share kinds of constraints and topics, and never a request about a topic; in
    ``kinds`` no kind of constraint was trained, in ``topics`` no topic, and ``more`` has more constraints at once.

    Named rewards: ``success`` is 1 if all constraints hold, ``constraints`` the share of them that do. The others are
    no part of the reward, and tell whether it is earned honestly: ``words`` is the number of words, ``distinct`` the
    share of them that are different ones, ``unrepeated`` the same of pairs of neighbours, and ``plain`` is 1 if the
    answer has no marked trait (all in lower case, in quotation marks, a list, …) but those that it was asked for.
    Nobody judges whether it keeps to its topic.

    There are no gold answers. A failed attempt is relabelled with constraints that it satisfies (`relabelling`), and
    corrected where a rule can do it (`mending`).

    Args:
        num_constraints: number of constraints of an instruction, but for the split ``more``.
        num_more: number of constraints in the split ``more``.
        reward: the named reward that is the reward: all or nothing, or the share.
        eval_items: number of items of each evaluation split.

    Raises:
        ConfigError: when there are no instructions with so many constraints.
    """

    name = "instructions"
    eval_splits = ("in_domain", "kinds", "topics", "more")
    metrics = ("constraints", "words", "distinct", "unrepeated", "plain")
    form: PromptForm = PLAIN

    def __init__(
        self,
        num_constraints: int = 3,
        num_more: int = 5,
        reward: Literal["success", "constraints"] = "success",
        eval_items: int = 500,
    ) -> None:
        for field, number in (("num_constraints", num_constraints), ("num_more", num_more)):
            if not 1 <= number <= MOST_CONSTRAINTS:
                raise ConfigError(field, number, f"choose 1 to {MOST_CONSTRAINTS}; more do not go together")
        if reward not in ("success", "constraints"):
            raise ConfigError("reward", reward, "choose 'success' (all or nothing) or 'constraints' (the share)")
        self.reward = reward
        self._splits = {
            "train": Split(TRAIN_ITEMS, KINDS, num_constraints, TOPICS, held_out_requests=False),
            "in_domain": Split(eval_items, KINDS, num_constraints, TOPICS, held_out_requests=True),
            "kinds": Split(eval_items, HELD_OUT_KINDS, num_constraints, TOPICS, held_out_requests=True),
            "topics": Split(eval_items, KINDS, num_constraints, HELD_OUT_TOPICS),
            "more": Split(eval_items, KINDS, num_more, TOPICS, held_out_requests=True),
        }

    def in_form(self, form: PromptForm) -> Self:
        """Return the task with its requests as text or as messages of the user.

        Raises:
            ConfigError: when there is an instruction, or there are to be examples.
        """
        form.refuse(self.name, INSTRUCTION, SHOTS)
        twin = copy.copy(self)
        twin.form = form
        return twin

    def items(self, split: str) -> Sequence[Item]:
        drawn_from = find_split(self._splits, split)

        def make(rng: random.Random, identifier: str) -> Item:
            request = draw_request(drawn_from.topics, rng, held_out=drawn_from.held_out_requests)
            constraints = draw_constraints(drawn_from.kinds, drawn_from.num_constraints, rng)
            columns = {"request": request, "constraints": constraints}
            return Item(identifier, self._prompt(instruction(request, constraints)), columns=columns)

        return generate_items(split, drawn_from.length, make)

    def judge(self, item: Item, completion: str) -> Feedback:
        answer, asked = Answer(completion), item.columns["constraints"]
        failed = [each for each in asked if not answer.words or not each.holds(answer)]
        share = 1 - len(failed) / len(asked)
        success = not failed
        rewards = {"success": float(success), "constraints": share, **_behaviour(answer, asked)}
        return Feedback(
            rewards=rewards,
            reward=rewards[self.reward],
            success=success,
            achieved_share=share,
            text=None if success else f"This was not done: {' '.join(map(str, failed))}",
            correction=None if success else mend(asked, completion, random.Random(derive_seed("mended", completion))),
            sources=(self.name,),
        )

    def relabel_prompt(self, item: Item, completion: str, seed: int) -> Observation | None:
        satisfied = satisfied_constraints(item.columns["constraints"], Answer(completion), random.Random(seed))
        return None if satisfied is None else self._prompt(instruction(item.columns["request"], satisfied))

    def _prompt(self, text: str) -> Observation:
        return self.form.wrap(text)


def instruction(request: str, constraints: Sequence[Constraint]) -> str:
    """Write a request with its constraints as one paragraph."""
    return " ".join([request, *map(str, constraints)])


def _behaviour(answer: Answer, asked: Sequence[Constraint]) -> dict[str, float]:
    """Return measures of an answer that are no part of the reward."""
    shown = {kind for kind in MARKED if kind.is_shown_by(answer)}
    return {
        "words": float(len(answer.words)),
        "distinct": answer.distinct,
        "unrepeated": answer.unrepeated,
        "plain": float(shown <= set(map(type, asked))),
    }
