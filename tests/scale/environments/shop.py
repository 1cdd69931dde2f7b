"""An environment with a tool, which is served by a process of its own for every episode."""

import verifiers.v1 as vf
from shop_prices import PRICES, PricesToolset


class TaskConfig(vf.TaskConfig):
    tools: vf.ToolsetConfig = vf.ToolsetConfig()


class Data(vf.TaskData):
    answer: str


class ShopTask(vf.Task[Data, vf.State, TaskConfig]):
    @classmethod
    def toolsets(cls, config: TaskConfig) -> list[vf.Toolset]:
        return [PricesToolset(config.tools)]

    @vf.reward(weight=1.0)
    async def says_the_price(self, trace: vf.Trace) -> float:
        return float(self.data.answer in (trace.last_reply or ""))


class Config(vf.TasksetConfig):
    task: TaskConfig = TaskConfig()


class ShopTaskset(vf.Taskset[ShopTask, Config]):
    def load(self) -> list[ShopTask]:
        return [
            ShopTask(Data(prompt=f"What does {name} cost? Look it up.", answer=price), self.config.task)
            for name, price in PRICES.items()
        ]


__all__ = ["ShopTaskset"]
