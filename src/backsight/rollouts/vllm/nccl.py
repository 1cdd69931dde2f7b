"""New weights from GPU to GPU, by vLLM's own interface for it: the one file that imports vLLM.

It has not been run by the authors of backsight, who have no GPU: it is written after vLLM 0.32, and tested against its
names alone. What arrives is proved as it is for a folder.
"""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

from backsight.errors import ConfigError
from backsight.policies import adapters
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.rollouts.vllm.client import VllmClient


class NcclTransfer:
    """All weights by NCCL. The server has ``--weight-transfer-config '{"backend": "nccl"}'``."""

    def __init__(self, client: VllmClient) -> None:
        self.client = client
        self._sender: Any = None
        self._newest: tuple[CausalLMPolicy, str] | None = None

    def send(self, policy: CausalLMPolicy, version: str) -> None:
        self._newest = policy, version
        if self._sender is None:
            self._sender = self._meet(policy)
        self._sender.send_weights()
        self.client.post("/reset_prefix_cache")
        self.client.post("/update_weight_version", {"new_version": version})

    def send_again(self) -> None:
        assert self._newest is not None
        self._sender = None  # whoever was in the group is gone
        self.send(*self._newest)

    def _meet(self, policy: CausalLMPolicy) -> Any:
        """Make the group of this process and all workers of the server."""
        from vllm.distributed.weight_transfer.base import ModuleSource
        from vllm.distributed.weight_transfer.clients import HTTPVLLMWeightSyncClient
        from vllm.distributed.weight_transfer.factory import WeightTransferTrainerFactory
        from vllm.distributed.weight_transfer.nccl_engine import NCCLTrainerInitInfo

        workers = int(self.client.get("/get_world_size")["world_size"])
        address, port = _own_address(self.client.url)
        group = NCCLTrainerInitInfo(master_address=address, master_port=port, world_size=1 + workers, rank=0)
        return WeightTransferTrainerFactory.trainer_init(
            group,
            client=HTTPVLLMWeightSyncClient(self.client.url, self.client.timeout),
            source=ModuleSource(policy.module),
        )


def check_can_transfer(policy: CausalLMPolicy) -> None:
    """Check that this process can send weights by NCCL.

    Raises:
        ConfigError: when the policy is on no GPU, or has an adapter, or vLLM is not installed here.
    """
    if policy.model.device.type != "cuda":
        raise ConfigError("engine.transfer", "nccl", "goes from GPU to GPU, and the policy is on none; use folder")
    if adapters.has_adapter(policy.model):
        raise ConfigError("engine.transfer", "nccl", "sends whole models; adapters are small: use folder")
    try:
        import vllm.distributed.weight_transfer.nccl_engine as _  # noqa: F401
    except ImportError as error:
        remedy = "needs vLLM where backsight runs; pip install 'backsight[vllm]', or use folder"
        raise ConfigError("engine.transfer", "nccl", remedy) from error


def _own_address(url: str) -> tuple[str, int]:
    """Return the address by which the server reaches this machine, and a free port on it."""
    parts = urlsplit(url)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:  # nothing is sent: the system only chooses a way
        way.connect((parts.hostname or "127.0.0.1", parts.port or 80))
        address = str(way.getsockname()[0])
    with socket.socket() as taken:
        taken.bind((address, 0))
        return address, int(taken.getsockname()[1])
