"""Whether a run fits into the memory that there is, by arithmetic alone: at its start, and when memory runs out."""

from __future__ import annotations

from dataclasses import replace

from backsight.config import RunConfig
from backsight.errors import ConfigError
from backsight.planning.memory import AHEAD, SAMPLER, Load, memory_of, size_of, weights_of_adapter
from backsight.planning.remedies import advice, remedies
from backsight.policies import footprint
from backsight.policies.config import AdapterConfig
from backsight.policies.text import TextPolicy

GIB = 2**30


def copies_of(config: RunConfig) -> tuple[str, ...]:
    """Return the copies of the policy that a run keeps.

    They are the ``reference``, the ``teacher``, the ``best`` one, the ``sampler``, and one for each step that is
    sampled ahead.
    """
    kept = {
        "reference": config.beta > 0,
        "teacher": config.hindsight.needs_teacher and config.teacher.update != "live",
        "best": config.keep_best,
        SAMPLER: config.max_staleness > 0,
    }
    ahead = [f"{AHEAD} {number + 1}" for number in range(config.max_staleness)]
    return (*(name for name, is_kept in kept.items() if is_kept), *ahead)


def static_load(config: RunConfig, *, on_gpu: bool, prompt_tokens: int = 0) -> Load:
    """Return what a run holds at once, as far as its settings say."""
    attempts = config.prompts_per_step * config.num_generations
    in_four_bits = config.adapter is not None and config.adapter.quantize
    return Load(
        learnt_tokens=config.micro_batch_size,
        decoded_rows=attempts if config.hindsight.learns_from_attempts else 0,
        columns=prompt_tokens + config.max_completion_length,
        copies=copies_of(config),
        bf16=config.bf16,
        in_four_bits=in_four_bits,
        on_gpu=on_gpu,
    )


def why_not(config: RunConfig, policy: TextPolicy) -> str | None:
    """Return in one line that a run is thought not to fit, and what would; None where it fits, or nobody knows.

    The policy is open already. Nothing is measured: it takes milliseconds.
    """
    weights = list(policy.module.parameters())
    device = weights[0].device
    available = footprint.available_bytes(device)
    if available is None:
        return None
    held = sum(each.numel() * each.element_size() for each in weights)
    size, load = size_of(policy.model), static_load(config, on_gpu=device.type == "cuda")
    peak = memory_of(size, load).peak - load.libraries
    if peak - held <= available:
        return None
    room = available + held + load.libraries
    return f"memory: this run takes about {peak / GIB:.1f} GiB, and there are {(available + held) / GIB:.1f}; " + (
        advice(size, load, weights_of_adapter(policy.module, AdapterConfig().r), room) or "see backsight plan"
    )


def with_way_out(error: ConfigError, config: RunConfig, policy: TextPolicy) -> ConfigError:
    """Return the error of a run, if memory ran out with the settings that take less, cheapest first; else as it is."""
    if error.field != "micro_batch_size":
        return error
    device = next(policy.module.parameters()).device
    size = size_of(policy.model)
    load = replace(static_load(config, on_gpu=device.type == "cuda"), recomputes=True, learnt_tokens=1, libraries=0.0)
    known = remedies(size, load, weights_of_adapter(policy.module, AdapterConfig().r))
    ways = ", ".join(each.settings for each in known)
    return ConfigError(error.field, error.value, f"{error.remedy}{'; or, cheapest first: ' if ways else ''}{ways}")
