"""Environments that are kept elsewhere. The host here is this process, and as slow to answer as another machine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import torch

from backsight.environments.episodes import EpisodesTask
from backsight.environments.hosted import HostedEnvironment, hosting
from backsight.errors import RewardError
from backsight.feedback.asking import patience
from backsight.interfaces import Pending
from backsight.types import Action


class SlowHost:
    def __init__(self) -> None:
        self.kept: list[Any] = []
        self.at_work = self.most_at_work = 0

    def keep(self, make: Callable[[], Any]) -> Callable[..., Awaitable[Any]]:
        kept = make()
        self.kept.append(kept)

        async def call(name: str, *arguments: Any, **named: Any) -> Any:
            self.at_work += 1
            self.most_at_work = max(self.most_at_work, self.at_work)
            await asyncio.sleep(0.01)
            self.at_work -= 1
            method = getattr(kept, name, None)
            return None if method is None else method(*arguments, **named)

        return call


class Echo:
    closed = False

    def reset(self, *, seed: int) -> tuple[str, dict[str, Any]]:
        return f"{seed}?", {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        if action == "fail":
            raise LookupError("no such word")
        return action, 0.5, action == "end", False, {"success": action != "end"}

    def close(self) -> None:
        self.closed = True


class Achieving(Echo):
    def achieved(self, transitions: list[Any]) -> list[str]:
        return [f"say {said}" for _, said, _ in transitions]


def say(word: str) -> Action:
    return Action((1,), torch.zeros(1), text=word)


def settled(answer: Any) -> Any:
    return answer.result() if isinstance(answer, Pending) else answer


def play(make: Callable[[], Any], *words: str) -> list[Any]:
    task = EpisodesTask(make, seeds={"train": [3, 4]})
    episodes = [task.episode(item) for item in task.items("train")]
    told = [settled(each) for each in [each.reset() for each in episodes]]
    for word in words:
        told += [settled(each) for each in [each.step(say(word)) for each in episodes]]
    return told


@pytest.mark.parametrize("make", [Echo, Achieving])
def test_an_episode_is_the_same_here_and_there(make: Callable[[], Any]) -> None:
    here, host = play(make, "one", "end"), SlowHost()
    with hosting(host):
        there = play(make, "one", "end")
    assert there == here and host.most_at_work == 2
    assert all(each.closed for each in host.kept)
    assert (here[-1].feedback.achieved_prompts is not None) is (make is Achieving)


def test_errors_are_told_in_the_same_words() -> None:
    words = []
    for host in (None, SlowHost()):
        with hosting(host), pytest.raises(RewardError) as raised:
            play(Echo, "fail")
        words.append(str(raised.value))
    assert words[0] == words[1]


def test_a_host_that_gives_no_answer_hangs() -> None:
    class DeadHost:
        def keep(self, make: Callable[[], Any]) -> Callable[..., Awaitable[Any]]:
            return lambda *_, **__: asyncio.sleep(99)

    with patience(0.1), hosting(DeadHost()), pytest.raises(RewardError, match=r"^env.reset: hangs: gave no answer in"):
        play(Echo)


def test_an_environment_knows_nothing_of_the_host_outside_of_the_block() -> None:
    with hosting(SlowHost()):
        assert isinstance(EpisodesTask(Echo)._env(), HostedEnvironment)
    assert isinstance(EpisodesTask(Echo)._env(), Echo)
