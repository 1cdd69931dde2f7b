"""The ways of new weights to a vLLM server. Each version has a name of its own, which answers are held against."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Protocol

from backsight.policies import adapters
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.rollouts.vllm.client import Refusal, VllmClient


class Transfer(Protocol):
    """A way of weights to a server."""

    def send(self, policy: CausalLMPolicy, version: str) -> None:
        """Give the server the weights that the policy has now, under the name of this version."""
        ...

    def send_again(self) -> None:
        """Give the server the newest weights again, because it has lost them."""
        ...


class FolderTransfer:
    """Weights by a folder of safetensors, which the server reads: all of them, or an adapter."""

    def __init__(self, client: VllmClient, folder: Path) -> None:
        self.client, self.folder = client, folder.resolve()
        self._newest: Path | None = None
        self._is_adapter = False

    def send(self, policy: CausalLMPolicy, version: str) -> None:
        place, previous = self.folder / version, self._newest
        policy.save(place)
        self._newest, self._is_adapter = place, adapters.has_adapter(policy.model)
        self.send_again()
        if previous is not None:
            if self._is_adapter:
                with contextlib.suppress(Refusal):  # a server that was started anew does not know it
                    self.client.post("/v1/unload_lora_adapter", {"lora_name": previous.name})
            shutil.rmtree(previous)

    def send_again(self) -> None:
        assert self._newest is not None
        name, path = self._newest.name, str(self._newest)
        if self._is_adapter:  # under its old name, the server would answer from what it has cached (vllm#42125)
            self.client.post("/v1/load_lora_adapter", {"lora_name": name, "lora_path": path})
            return
        self.client.post("/collective_rpc", {"method": "reload_weights", "kwargs": {"weights_path": path}})
        self.client.post("/reset_prefix_cache")  # what is cached was computed with the weights from before
        self.client.post("/update_weight_version", {"new_version": name})
