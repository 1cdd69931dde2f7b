"""An environment that can be told to be one that does not work, in one way or another."""

import os

import verifiers.v1 as vf


class TaskConfig(vf.TaskConfig):
    raises: bool = False


class OddTask(vf.Task[vf.TaskData, vf.State, TaskConfig]):
    @vf.reward
    async def odd(self, trace: vf.Trace) -> float:
        if self.config.raises:
            raise ValueError("no such answer")
        return 1.0


class Config(vf.TasksetConfig):
    task: TaskConfig = TaskConfig()
    count: int = 3
    key: str = ""


class OddTaskset(vf.Taskset[OddTask, Config]):
    def load(self) -> list[OddTask]:
        if self.config.key:
            os.environ[self.config.key]
        return [OddTask(vf.TaskData(prompt=f"task {number}"), self.config.task) for number in range(self.config.count)]


__all__ = ["OddTaskset"]
