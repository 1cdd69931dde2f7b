"""The ways of new weights to a vLLM server. Each version has a name of its own, which answers are held against."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import Protocol

from safetensors.torch import save_file

from backsight.policies import adapters
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.policies.folder import CONFIG
from backsight.rollouts.vllm.client import Refusal, VllmClient

HEAD, HEAD_FILE = "lm_head.weight", "head.safetensors"
"""Name of the head's weight in most models, and the file that it is written to where a checkpoint leaves it out."""


def save(policy: CausalLMPolicy, folder: Path) -> None:
    """Write the policy as vLLM reads it: with the weight of its head, also where that is the embedding's.

    On the CPU vLLM packs the head for its kernels, and keeps the old one of a model that has the two tied when new
    weights come (seen in 0.32).
    """
    policy.save(folder)
    if _is_tied(policy):
        head = policy.model.get_output_embeddings().weight
        save_file({HEAD: head.detach().clone().contiguous()}, folder / HEAD_FILE, metadata={"format": "pt"})


def save_untied(policy: CausalLMPolicy, folder: Path) -> None:
    """Write the policy as a model whose head and embedding are two weights."""
    save(policy, folder)
    path = folder / CONFIG
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**config, "tie_word_embeddings": False}, indent=2), encoding="utf-8")


def _is_tied(policy: CausalLMPolicy) -> bool:
    if adapters.has_adapter(policy.model):
        return False
    own = policy.model.get_output_embeddings(), policy.model.get_input_embeddings()
    return all(each is not None for each in own) and own[0].weight is own[1].weight


class Transfer(Protocol):
    """A way of weights to a server."""

    client: VllmClient

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
        save(policy, place)
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
