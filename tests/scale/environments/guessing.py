"""An environment of several turns: its user opens, says higher or lower, and makes numbers for ever."""

import itertools
import random
import re
from collections.abc import Iterator
from typing import Literal

import verifiers.v1 as vf


class Data(vf.TaskData):
    number: int


class GuessingTask(vf.Task[Data]):
    @vf.metric
    async def guesses(self, trace: vf.Trace) -> float:
        return float(len(trace.assistant_messages))


class Config(vf.TasksetConfig):
    highest: int = 9
    split: Literal["train", "validation"] = "train"


class GuessingEnv(vf.SingleAgentEnv):
    async def run(self, task: GuessingTask, agents: vf.Agents) -> None:
        said, won = f"Guess a number from 1 to {self.config.taskset.highest}.", 0.0
        async with agents.agent.interaction(task) as interaction:
            for _ in range(4):
                segment = await interaction.turn(said)
                if segment.terminated:
                    break
                found = re.search(r"\d+", segment.last_reply)
                guess = int(found[0]) if found else 0
                if guess == task.data.number:
                    won = 1.0
                    break
                said = "Higher." if guess < task.data.number else "Lower."
        interaction.trace.record_reward("won", won, 1.0)


class GuessingTaskset(vf.Taskset[GuessingTask, Config]):
    INFINITE = True

    def load(self) -> Iterator[GuessingTask]:
        for seed in itertools.count():
            drawn = random.Random(f"{self.config.split} {seed}").randint(1, self.config.highest)
            yield GuessingTask(Data(prompt=None, number=drawn), self.config.task)


__all__ = ["GuessingEnv", "GuessingTaskset"]
