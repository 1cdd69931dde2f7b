"""An environment of one turn: write a word backwards. It makes its own words."""

import random

import verifiers.v1 as vf

LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Data(vf.TaskData):
    answer: str


class BackwardsTask(vf.Task[Data]):
    @vf.reward(weight=1.0)
    async def is_reversed(self, trace: vf.Trace) -> float:
        return float((trace.last_reply or "").strip() == self.data.answer)

    @vf.reward(weight=0.5)
    async def right_letters(self, trace: vf.Trace) -> float:
        said = (trace.last_reply or "").strip()
        return sum(one == two for one, two in zip(said, self.data.answer, strict=False)) / len(self.data.answer)

    @vf.metric
    async def length(self, trace: vf.Trace) -> float:
        return float(len((trace.last_reply or "").strip()))


class Config(vf.TasksetConfig):
    count: int = 100
    letters: int = 3


class BackwardsTaskset(vf.Taskset[BackwardsTask, Config]):
    def load(self) -> list[BackwardsTask]:
        words = [
            "".join(random.Random(number).choices(LETTERS, k=self.config.letters))
            for number in range(self.config.count)
        ]
        return [
            BackwardsTask(
                Data(prompt=f"Reverse: {word}", system_prompt="Answer with one word.", answer=word[::-1]),
                self.config.task,
            )
            for word in words
        ]


__all__ = ["BackwardsTaskset"]
