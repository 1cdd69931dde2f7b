"""An environment whose rewards ask a model."""

import verifiers.v1 as vf
from odd_ones import Config as OddConfig
from odd_ones import OddTask, OddTaskset, TaskConfig


class JudgedConfig(OddConfig):
    task: TaskConfig = TaskConfig(
        judges=[{"id": "reference", "api_key_var": "A_KEY", "base_url": "https://judge.test/v1"}]
    )


class JudgedTaskset(vf.Taskset[OddTask, JudgedConfig]):
    load = OddTaskset.load


__all__ = ["JudgedTaskset"]
