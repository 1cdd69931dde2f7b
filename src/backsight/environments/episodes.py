"""A task whose items are episodes of a text environment, one for each seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from backsight.environments.base import EnvironmentFactory
from backsight.environments.single_turn import SingleTurn
from backsight.environments.text import TextEpisode, first_observation
from backsight.errors import ConfigError, DataError, nearest
from backsight.tasks.base import Item, LazyItems, Task
from backsight.types import Feedback, Observation

SEEDS = {"train": range(10_000), "test": range(1_000_000, 1_000_200)}
"""Where episodes start when nobody says."""


class EpisodesTask(Task):
    """Episodes of several turns; each attempt has an environment of its own, so many run side by side.

    The environment judges: `judge` has nothing to add. See `TextEpisode` for `memory` and `chat`.

        backsight.finetune(policy, EpisodesTask(FrozenLake, max_turns=8), hindsight="relabel")

    Args:
        make_env: called for every episode.
        name: of the task, for the run folder.
        seeds: by split, ``train`` and those to evaluate on. For the rows of a data set, a seed may be a row's number.
        max_turns: at so many, an episode is truncated.

    Raises:
        ConfigError: there are no seeds to train on, or `max_turns` or `memory` is out of its range.
    """

    metrics = ("success",)

    def __init__(
        self,
        make_env: Callable[[], Any],
        *,
        name: str = "episodes",
        seeds: Mapping[str, Sequence[int]] = SEEDS,
        max_turns: int = 20,
        memory: int | None = None,
        chat: bool = False,
    ) -> None:
        if not len(seeds.get(self.train_split, ())):
            raise ConfigError("seeds", ", ".join(seeds), "has none for the split 'train'; give it at least one")
        if max_turns < 1:
            raise ConfigError("max_turns", max_turns, "has to be at least 1")
        if memory is not None and memory < 0:
            raise ConfigError("memory", memory, "has to be at least 0, or None for all turns")
        self.make_env, self.name, self.seeds = make_env, name, dict(seeds)
        self.max_turns, self.memory, self.chat = max_turns, memory, chat
        self.eval_splits = tuple(split for split in seeds if split != self.train_split)

    def items(self, split: str) -> Sequence[Item]:
        """The prompt of an item is what is observed first: one is reset when the item is asked for."""
        if split not in self.seeds:
            raise DataError("split", split, nearest(split, self.seeds))
        seeds = self.seeds[split]
        return LazyItems(len(seeds), lambda number: self._item(seeds[number]))

    def judge(self, item: Item, completion: str) -> Feedback:
        return Feedback()

    def episode(self, item: Item, fits: Callable[[Observation], bool] | None = None) -> TextEpisode:
        """A fresh attempt at an item. `fits` says whether a prompt leaves room for a completion."""
        return TextEpisode(
            self.make_env(), item.columns["seed"], self.max_turns, memory=self.memory, chat=self.chat, fits=fits
        )

    def _item(self, seed: int) -> Item:
        return Item(str(seed), first_observation(self.make_env(), seed, chat=self.chat), columns={"seed": seed})


def environments_of(task: Task, fits: Callable[[Observation], bool] | None = None) -> EnvironmentFactory:
    """From an item of the task to an episode: of its environment where it has one, else of a single turn."""
    return partial(task.episode, fits=fits) if isinstance(task, EpisodesTask) else SingleTurn
