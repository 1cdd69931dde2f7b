"""An environment for two."""

import verifiers.v1 as vf
from odd_ones import Config, OddTask, OddTaskset


class PairConfig(vf.EnvConfig):
    asker: vf.AgentConfig = vf.AgentConfig()
    answerer: vf.AgentConfig = vf.AgentConfig()


class PairEnv(vf.Env[PairConfig]):
    async def run(self, task: OddTask, agents: vf.Agents) -> None:
        raise NotImplementedError


class PairTaskset(vf.Taskset[OddTask, Config]):
    load = OddTaskset.load


__all__ = ["PairEnv", "PairTaskset"]
