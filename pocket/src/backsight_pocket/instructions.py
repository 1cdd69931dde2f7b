"""The task `instructions`: write a sentence that obeys several constraints; it is rewarded only if all of them hold."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal

from backsight.errors import ConfigError, DataError
from backsight.tasks.base import Item, LazyItems, PromptTask, generate_items
from backsight.types import Feedback
from backsight_pocket import world
from backsight_pocket.constraints import (
    KINDS,
    Combination,
    Constraint,
    Sentence,
    combination_of,
    combinations,
    draw,
    held_out_combinations,
)
from backsight_pocket.splits import TRAIN_ITEMS, is_held_out


def prompt_of(constraints: Sequence[Constraint]) -> str:
    """Write an instruction in words: ``use river; start The; a place; short:``."""
    return "; ".join(map(str, constraints)) + ":"


def instruction(
    sentence: Sentence, combination: Combination, rng: random.Random, kept: Sequence[Constraint] = ()
) -> list[Constraint] | None:
    """Return constraints in this combination that the sentence satisfies, in random order; None if there are none.

    The constraints `kept` are part of them.
    """
    chosen = list(kept)
    missing = [count - had for count, had in zip(combination, combination_of(kept), strict=True)]
    # "use" goes last: it must not name the word that already starts or ends the sentence
    for kind, count in sorted(zip(KINDS, missing, strict=True), key=lambda pair: pair[0] == "use"):
        for _ in range(count):
            constraint = draw(kind, sentence, chosen, rng)
            if constraint is None:
                return None
            chosen.append(constraint)
    rng.shuffle(chosen)
    return chosen


class InstructionsTask(PromptTask):
    """Instructions derived from a sentence of the pocket world that satisfies them, so that all can be satisfied.

    Splits: ``train`` and ``in_domain`` share combinations of kinds and domains (never items); in ``combinations``
    the combination was never trained, in ``domains`` the domain, in ``more`` the number of constraints; ``exact``
    adds an exact number of words, which is harder and a split of its own. The reward is all or nothing, or the share of
    constraints that hold.
    """

    name = "instructions"
    eval_splits = ("in_domain", "combinations", "domains", "more", "exact")
    metrics = ("constraints",)

    def __init__(
        self,
        num_constraints: int = 4,
        num_more: int = 6,
        eval_items: int = 500,
        reward: Literal["success", "constraints"] = "success",
    ) -> None:
        if num_constraints < 2:
            raise ConfigError("num_constraints", num_constraints, "combinations need at least 2")
        self.reward = reward
        held_out = held_out_combinations(num_constraints)
        trained = tuple(each for each in combinations(num_constraints) if each not in held_out)
        exact = tuple((*each[:-2], 0, 1) for each in combinations(num_constraints - 1) if each[-2] == 0)
        self._held_out = held_out
        self._splits = {
            "train": _split("train", TRAIN_ITEMS, trained, world.DOMAINS),
            "in_domain": _split("in_domain", eval_items, trained, world.DOMAINS),
            "combinations": _split("combinations", eval_items, tuple(sorted(held_out)), world.DOMAINS),
            "domains": _split("domains", eval_items, trained, world.HELD_OUT_DOMAINS),
            "more": _split("more", eval_items, combinations(num_more), world.DOMAINS),
            "exact": _split("exact", eval_items, exact, world.DOMAINS),
        }

    def items(self, split: str) -> Sequence[Item]:
        return self._splits[split]

    def judge(self, item: Item, completion: str) -> Feedback:
        sentence = Sentence(completion.strip())
        held = [constraint.holds(sentence) for constraint in item.columns["constraints"]]
        success = all(held) and sentence.is_complete
        rewards = {"success": float(success), "constraints": sum(held) / len(held)}
        return Feedback(
            rewards=rewards,
            reward=rewards[self.reward],
            success=success,
            achieved_share=rewards["constraints"],
            sources=(self.name,),
        )

    def relabel_prompt(self, item: Item, completion: str, seed: int) -> str | None:
        """Return the instruction with its failed constraints replaced by ones that the sentence satisfies.

        The new constraints are of the same kinds where the sentence allows it, so that what is learnt is as hard as
        what was asked. A combination kept for evaluation is never the result.
        """
        sentence = Sentence(completion.strip())
        if not sentence.is_complete or is_held_out(completion):
            return None
        constraints: Sequence[Constraint] = item.columns["constraints"]
        kept = [constraint for constraint in constraints if constraint.holds(sentence)]
        rng = random.Random(seed)
        for combination in self._nearest_combinations(combination_of(constraints), combination_of(kept), rng):
            rewritten = instruction(sentence, combination, rng, kept)
            if rewritten is not None:
                return prompt_of(rewritten)
        return None

    def _nearest_combinations(
        self, asked: Combination, kept: Combination, rng: random.Random, tries: int = 4
    ) -> list[Combination]:
        """Return the combination that was asked, then others that are trained and contain the part that was kept."""
        others = [
            each
            for each in combinations(sum(asked))
            if each not in self._held_out and all(have <= want for have, want in zip(kept, each, strict=True))
        ]
        rng.shuffle(others)
        return [asked, *others[:tries]]


def _split(name: str, length: int, among: Sequence[Combination], domains: Sequence[str]) -> LazyItems:
    def make(rng: random.Random, identifier: str) -> Item:
        combination = rng.choice(among)
        for _ in range(1000):
            text = world.sentence(rng, rng.choice(domains))
            constraints = instruction(Sentence(text), combination, rng)
            if constraints is not None:
                columns = {"constraints": tuple(constraints)}
                return Item(identifier, prompt_of(constraints), " " + text, columns)
        raise DataError(f"{name}.combination", combination, "no sentence of the world satisfies it; leave it out")

    return generate_items(name, length, make)
