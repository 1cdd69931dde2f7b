"""A task whose items are episodes of a text environment, one for each seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import WeakValueDictionary

from backsight.environments.hosted import make_here_or_elsewhere
from backsight.environments.text import TextEpisode, first_observation
from backsight.errors import ConfigError, DataError, SpaceError, nearest, shown
from backsight.feedback.environment import EnvironmentFeedback, ask_environment
from backsight.tasks.base import Fits, Item, LazyItems, Task

SEEDS = {"train": range(10_000), "test": range(1_000_000, 1_000_200)}
"""Default seeds of the episodes, by split."""


class EpisodesTask(Task):
    """A task of episodes of several turns. Each attempt has an environment of its own, so many run side by side.

    The environment judges. See `TextEpisode` for `memory` and `chat`.

        backsight.finetune(policy, EpisodesTask(FrozenLake, max_turns=8), hindsight="relabel")

    Args:
        make_env: a function that makes an environment; it is called for every episode.
        name: name of the task, for the run folder.
        seeds: seeds of the episodes by split, ``train`` and those to evaluate on. A seed may be the number of a row in
            a data set.
        max_turns: number of turns after which an episode is truncated.

    Raises:
        ConfigError: when there are no seeds to train on, or `max_turns` or `memory` is out of its range.
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
        if not isinstance(seeds, Mapping):
            raise ConfigError("seeds", shown(seeds), "give lists of numbers by split: {'train': range(1000)}")
        for split, own in seeds.items():
            if isinstance(own, str | Mapping) or not (hasattr(own, "__len__") and hasattr(own, "__getitem__")):
                raise ConfigError(f"seeds['{split}']", shown(own), "give a list or a range of numbers")
        if not len(seeds.get(self.train_split, ())):
            raise ConfigError("seeds", ", ".join(seeds), "has none for the split 'train'; give it at least one")
        if not isinstance(max_turns, int) or max_turns < 1:
            raise ConfigError("max_turns", max_turns, "has to be a whole number, at least 1")
        if memory is not None and (not isinstance(memory, int) or memory < 0):
            raise ConfigError("memory", memory, "has to be a whole number, at least 0, or None for all turns")
        self.make_env, self.name, self.seeds = make_env, name, dict(seeds)
        self.max_turns, self.memory, self.chat = max_turns, memory, chat
        self.eval_splits = tuple(split for split in seeds if split != self.train_split)
        self._playing: WeakValueDictionary[int, TextEpisode] = WeakValueDictionary()

    def items(self, split: str) -> Sequence[Item]:
        """Return the items of a split. A prompt is the first observation of an environment that is reset for the item.

        Raises:
            DataError: when there is no such split.
        """
        if split not in self.seeds:
            raise DataError("split", split, nearest(split, self.seeds))
        seeds = self.seeds[split]
        return LazyItems(len(seeds), lambda number: self._item(seeds[number]))

    def feedback(self) -> EnvironmentFeedback:
        return EnvironmentFeedback()

    def episode(self, item: Item, fits: Fits | None = None) -> TextEpisode:
        env = self._env()
        episode = TextEpisode(env, item.columns["seed"], self.max_turns, memory=self.memory, chat=self.chat, fits=fits)
        self._playing[id(env)] = episode
        return episode

    def _item(self, seed: int) -> Item:
        return Item(str(seed), first_observation(self._env(), seed, chat=self.chat), columns={"seed": seed})

    def _env(self) -> Any:
        """Make an environment.

        Raises:
            RewardError: when `make_env` failed.
            SpaceError: when it gave one in which another episode is being played: each would change the other's state.
        """
        env = ask_environment("make_env", make_here_or_elsewhere, self.make_env)
        other = self._playing.get(id(env))
        if other is not None and other.env is env and not other.is_over:
            remedy = "gave the same environment to two episodes that run side by side; make a new one in each call"
            raise SpaceError("make_env", type(env).__name__, remedy)
        return env
