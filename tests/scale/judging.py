"""A rank that asks reward functions as tasks of a cluster and plays environments that it keeps, and writes down what
they say."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch

from backsight.cluster import launch
from backsight.cluster.options import ClusterConfig
from backsight.environments.episodes import EpisodesTask
from backsight.environments.hosted import hosting
from backsight.errors import RewardError
from backsight.feedback.asking import patience
from backsight.feedback.reward_functions import RewardFunctions, placing
from backsight.interfaces import Pending
from backsight.tasks.base import Item
from backsight.types import Action, Step, Trajectory

TEXTS = ["a", "bbb", "cc"]
TRIES = Path("tries.txt")


def attempt(text: str) -> Trajectory:
    tokens = tuple(text.encode())
    step = Step("p", Action(tokens, torch.zeros(len(tokens)), text=text))
    return Trajectory(start=Item(id="1", prompt="p", target="t", columns={"answer": text}), steps=(step,))


def length(completions: list[str], **columns: Any) -> list[float]:
    return [float(len(each)) for each in completions]


async def process(answer: list[str], **columns: Any) -> list[dict[str, Any]]:
    return [{"reward": 1.0, "text": f"{each} by {os.getpid()}"} for each in answer]


def raises(completions: list[str], **columns: Any) -> list[float]:
    raise LookupError("no such word")


def hangs(completions: list[str], **columns: Any) -> list[float]:
    time.sleep(999)
    return []


def fails_twice(completions: list[str], **columns: Any) -> list[float]:
    with TRIES.open("a") as file:
        file.write("tried\n")
    if len(TRIES.read_text().splitlines()) < 3:
        raise ConnectionError("down")
    return [0.0] * len(completions)


def dies_once(completions: list[str], **columns: Any) -> list[float]:
    if not (died := Path("died.txt")).exists():
        died.touch()
        os._exit(1)
    return [0.0] * len(completions)


class Counting:
    """An environment that counts what is said to it, and fails or hangs when it is told to."""

    def reset(self, *, seed: int) -> tuple[str, dict[str, Any]]:
        self.seed, self.said = seed, list[str]()
        return f"{seed}: count", {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.said.append(action)
        if action == "fail":
            raise LookupError("no such word")
        if action == "hang":
            time.sleep(999)
        return f"{len(self.said)} said", len(action) / 4, action == "end", False, {"success": False}

    def achieved(self, transitions: list[Any]) -> list[str]:
        return [f"{self.seed}: say {said}" for _, said, _ in transitions]


def play(*words: str) -> list[str]:
    """Play two episodes side by side, in which these are said, and return all that came of it in words."""
    task, told = EpisodesTask(Counting, seeds={"train": [3, 4]}), list[str]()
    episodes = [task.episode(item) for item in task.items("train")]
    told += [str(settled(each.reset())) for each in episodes]
    try:
        for word in words:
            answers = [each.step(Action((1,), torch.zeros(1), text=word)) for each in episodes]
            told += [str(settled(each)) for each in answers]
    except RewardError as error:
        told.append(str(error))
    return told


def settled(answer: Any) -> Any:
    return answer.result() if isinstance(answer, Pending) else answer


def judge() -> dict[str, Any]:
    """Ask each function, on the rank, and return what came of it."""
    options, attempts = ClusterConfig(reward_cpus=1, reward_retries=2), [attempt(each) for each in TEXTS]
    seen: dict[str, Any] = {"rank": os.getpid()}
    with placing(launch.tasks(options)):
        said = RewardFunctions([length, process])(attempts, range(3))
        seen["lengths"], seen["texts"] = [each.rewards["length"] for each in said], [each.text for each in said]
        seen["retried"] = RewardFunctions([fails_twice])(attempts, range(3))[0].reward
        seen["reborn"] = RewardFunctions([dies_once])(attempts, range(3))[0].reward
        for function, seconds in ((raises, 60.0), (hangs, 0.5)):
            with patience(seconds):
                try:
                    RewardFunctions([function])(attempts, range(3))
                except RewardError as error:
                    seen[function.__name__] = str(error)
    with patience(0.7):
        here = [play("one", "two", "end"), play("fail")]  # and one that sleeps would keep a rank for ever
        with hosting(launch.host(1)), patience(20.0):
            there = [play("one", "two", "end"), play("fail")]
            with patience(0.7):
                seen["overdue"] = play("hang")[-1]
    seen["here"], seen["there"] = here, there
    return seen


if __name__ == "__main__":
    from scale import judging  # what is sent to ranks has to be found by the name of its module

    print(json.dumps(launch.run_on_ranks(ClusterConfig(address=sys.argv[1]), judging.judge)))
