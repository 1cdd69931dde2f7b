"""The simulated customer of the pocket model for a policy that chats: the job is described before the conversation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from backsight.environments.episodes import EpisodesTask
from backsight.tasks.forms import PromptForm
from backsight.types import Observation
from backsight_pocket.dialogue import MAX_TURNS, SEEDS, UserSimulator, errand_of, expert_turns
from backsight_pocket.world.errands import Errand

GOAL = "goal"
"""The name of the score that says whether all that was wanted was offered."""
BRIEF = PromptForm(
    is_chat=True,
    system_prompt="You serve at a counter. Ask for what is missing, one thing at a time. When nothing is missing, say "
    "what you offer.",
).messages(
    "I want a rope, not a tarry one; kind and place matter.",
    "Hello, which kind, please?",
    "A thin one.",
    "Which place, please?",
    "In the attic.",
    "Thank you, a thin rope in the attic.",
)
"""What stands before the customer's first words. Without it the base met no goal of 16, with it one."""


class Counter(UserSimulator):
    """The simulated customer as chat messages, behind the brief."""

    def begin(self, errand: Errand) -> tuple[Observation, dict[str, Any]]:
        observation, info = super().begin(errand)
        return [*BRIEF, *observation], info

    def show(self, words: str) -> Observation:
        return [{"role": "user", "content": words}]


def make_task(splits: Sequence[str], train: Sequence[int] = SEEDS["train"]) -> EpisodesTask:
    """Make the task of serving customers, with these seeds to train on and these splits to evaluate on."""
    seeds = {"train": train, **{split: SEEDS[split] for split in splits}}
    return EpisodesTask(Counter, name="customers", seeds=seeds, max_turns=MAX_TURNS)


def expert_rows(seeds: Iterable[int]) -> list[dict[str, Any]]:
    """Return each turn of an expert with these customers, as a row with a prompt and a completion."""
    rows = []
    for seed in seeds:
        customer = Counter()
        prompt, _ = customer.reset(seed=seed)
        for _, said in expert_turns(errand_of(seed)):
            text = said.strip()
            rows.append({"prompt": prompt, "completion": text})
            prompt = [*prompt, {"role": "assistant", "content": text}, *customer.step(text)[0]]
    return rows
