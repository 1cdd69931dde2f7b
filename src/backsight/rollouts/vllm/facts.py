"""What a run finds out about a vLLM server before it uses it, and whether that fits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

from backsight.errors import ConfigError, EngineError, ModelError
from backsight.policies import adapters
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.rollouts.vllm.client import Refusal, VllmClient

TRIED = "0.32"
"""Version of vLLM that the engine was tried with."""
SAMPLE = "Tokens in, tokens out: 1, 2, 3 — naïve café."
"""Text by which tokenizers are compared."""
MODE = "processed_logprobs"


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """Facts about a server."""

    version: str
    dtype: torch.dtype
    """Precision in which it computes."""
    max_length: int
    """Most tokens of a prompt and its completion together."""


def look_at(client: VllmClient, policy: CausalLMPolicy) -> ServerFacts:
    """Find out about a server, before anything of it is changed.

    Raises:
        EngineError: when it cannot be reached, or lacks an interface.
        ConfigError: when it runs with settings that do not fit.
        ModelError: when it serves another model, or has another tokenizer.
    """
    version = _field(client, client.get("/version"), "version")
    config = _config(client, version)
    model = config["model_config"]
    if model.get("logprobs_mode") != MODE:
        remedy = f"its log-probabilities are {model.get('logprobs_mode')}; start it with --logprobs-mode={MODE}"
        raise ConfigError("engine.url", client.url, remedy)
    _check_adapter(client, policy, config.get("lora_config"))
    _check_tokenizer(client, policy)
    _check_depth(client, policy)
    dtype = getattr(torch, str(model.get("dtype")).removeprefix("torch."), torch.bfloat16)
    return ServerFacts(version, dtype, int(model["max_model_len"]))


def _config(client: VllmClient, version: str) -> dict[str, Any]:
    try:
        config = client.get("/server_info?config_format=json")["vllm_config"]
        if isinstance(config["model_config"], dict) and "max_model_len" in config["model_config"]:
            return dict(config)
    except Refusal as error:
        remedy = f"vLLM {version} takes no new weights; start it with the environment variable VLLM_SERVER_DEV_MODE=1"
        raise EngineError("engine.url", client.url, remedy) from error
    except (LookupError, TypeError):
        pass
    remedy = f"vLLM {version} does not tell its settings as {TRIED} does, which backsight was tried with"
    raise EngineError("engine.url", client.url, remedy)


def _field(client: VllmClient, answer: Any, name: str) -> str:
    if not isinstance(answer, dict) or not isinstance(answer.get(name), str):
        raise EngineError("engine.url", client.url, "is no vLLM server; give the address of one")
    return str(answer[name])


def _check_adapter(client: VllmClient, policy: CausalLMPolicy, lora: Any) -> None:
    if not adapters.has_adapter(policy.model):
        return
    rank = max(config.r for config in policy.model.peft_config.values())
    if not isinstance(lora, dict):
        raise ConfigError(
            "engine.url", client.url, f"has no adapters; start it with --enable-lora --max-lora-rank={rank}"
        )
    if lora.get("max_lora_rank", rank) < rank:
        remedy = f"takes adapters up to rank {lora['max_lora_rank']}; start it with --max-lora-rank={rank}, or lower it"
        raise ConfigError("adapter.r", rank, f"the server {remedy}")


def _check_tokenizer(client: VllmClient, policy: CausalLMPolicy) -> None:
    answer = client.post("/tokenize", {"prompt": SAMPLE, "add_special_tokens": False})
    found = answer.get("tokens") if isinstance(answer, dict) else None
    if found != policy.tokenizer(SAMPLE, add_special_tokens=False)["input_ids"]:
        raise ModelError(
            "policy", policy.model.name_or_path, f"{client.url} has another tokenizer; serve this model there"
        )


def _check_depth(client: VllmClient, policy: CausalLMPolicy) -> None:
    """Check that the server's model has as many layers: one of another shape would fail while it reads the weights."""
    served = _depth(client.post("/weight_checker", {"action": "checksum"})["checksums"])
    own = _depth(name for name, _ in policy.model.named_parameters())
    if served != own:
        remedy = f"{client.url} serves a model of {served} layers, and this one has {own}; serve this one there"
        raise ModelError("policy", policy.model.name_or_path, remedy)


def _depth(names: Iterable[str]) -> int:
    return 1 + max((int(number) for name in names for number in re.findall(r"\.(\d+)\.", name)), default=-1)
