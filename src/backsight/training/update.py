"""Step 4 of the method: examples in, a changed policy and metrics out.

What the loss is stands in `objective.py`; here a batch is cut into pieces that fit, and their gradients are added up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from backsight.errors import ConfigError
from backsight.policies.base import Policy
from backsight.profiling import Profile
from backsight.training.anchors import Anchors, reference_scores, teacher_targets
from backsight.training.config import TrainingConfig
from backsight.training.objective import Share, has_signal, loss_of, shares_of
from backsight.training.teacher import Teacher
from backsight.types import Example


@dataclass(slots=True)
class Workbench:
    """What an update keeps from one step to the next."""

    micro_batch_size: int
    """Halved whenever memory ran out."""
    profile: Profile = field(default_factory=Profile)


def update(
    policy: Policy,
    reference: Policy | None,
    examples: Sequence[Example],
    optimizer: torch.optim.Optimizer,
    config: TrainingConfig,
    bench: Workbench | None = None,
    teacher: Teacher | None = None,
) -> dict[str, float]:
    """Take `num_iterations` times `mini_batches` optimizer steps; returns the means of their metrics.

    `reference` is the frozen anchor of the KL term, needed when `beta` is above 0, `teacher` the one who knows what was
    revealed, needed when an example has teacher weights; both score every example once. The
    mini-batches are drawn from torch's global generator, which the trainer seeds.

    Raises:
        ConfigError: a single example does not fit into memory.
    """
    bench = bench or Workbench(config.micro_batch_size)
    kept, size, profile = [each for each in examples if has_signal(each, config)], bench.micro_batch_size, bench.profile
    anchors = Anchors(
        reference_scores(reference if config.beta > 0 else None, kept, config, size, profile),
        dict(teacher_targets(teacher, kept, config, size, profile)),
    )
    sums: Counter[str] = Counter()
    num_steps = 0
    for _ in range(config.num_iterations):
        for part in _mini_batches(examples, config.mini_batches):
            sums.update(_optimizer_step(policy, anchors, part, optimizer, config, bench))
            num_steps += 1
    return {key: value / max(1, num_steps) for key, value in sums.items()}


def _mini_batches(examples: Sequence[Example], count: int) -> list[list[Example]]:
    """The examples in `count` random parts of about the same size; one part stays in its order."""
    if count == 1:
        return [list(examples)] if examples else []
    order = torch.randperm(len(examples)).tolist()
    parts = [[examples[index] for index in order[first::count]] for first in range(count)]
    return [part for part in parts if part]


def _optimizer_step(
    policy: Policy,
    anchors: Anchors,
    examples: Sequence[Example],
    optimizer: torch.optim.Optimizer,
    config: TrainingConfig,
    bench: Workbench,
) -> dict[str, float]:
    shares = [share for share in shares_of(examples, config) if has_signal(share.example, config)]
    metrics = {
        "frac_examples_with_signal": len(shares) / len(examples),
        "frac_off_policy": sum(each.behaviour_log_probs is None for each in examples) / len(examples),
    }
    if not shares:
        return metrics
    while (sums := _gradient(policy, anchors, shares, optimizer, config, bench)) is None:
        _make_room(policy, shares, bench)
    with bench.profile.phase("optimizer"):
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        norm = torch.nn.utils.clip_grad_norm_(parameters, config.max_grad_norm)
        optimizer.step()
    return {**metrics, **{key: float(value) for key, value in sums.items()}, "grad_norm": float(norm)}


def _gradient(
    policy: Policy,
    anchors: Anchors,
    shares: Sequence[Share],
    optimizer: torch.optim.Optimizer,
    config: TrainingConfig,
    bench: Workbench,
) -> dict[str, Tensor] | None:
    """Add up the gradients of the micro-batches, and their metrics. None: memory ran out."""
    sums: dict[str, Tensor] = {}
    optimizer.zero_grad(set_to_none=True)
    try:
        for cut in policy.micro_batches([share.example for share in shares], bench.micro_batch_size):
            batch = [shares[index] for index in cut]
            with bench.profile.phase("forward"):
                loss, parts, tokens = loss_of(policy, batch, anchors, config)
            with bench.profile.phase("backward", tokens):
                loss.backward()  # type: ignore[no-untyped-call]
            bench.profile.tokens["forward"] += tokens
            sums = {key: value + sums.get(key, 0.0) for key, value in parts.items()}
    except (RuntimeError, MemoryError) as error:
        if not _is_out_of_memory(error):
            raise
        return None
    return sums


def _is_out_of_memory(error: BaseException) -> bool:
    complaints = ("not enough memory", "can't allocate memory")  # torch's own words, on a CPU
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(each in str(error) for each in complaints)


def _make_room(policy: Policy, shares: Sequence[Share], bench: Workbench) -> None:
    """Smaller micro-batches; once they hold one example each, layers that are recomputed in the backward pass."""
    examples = [share.example for share in shares]
    if not _cut_smaller(policy, examples, bench) and not policy.recompute_layers():
        remedy = "one example alone does not fit into memory; shorten prompts, or lower max_completion_length"
        raise ConfigError("micro_batch_size", bench.micro_batch_size, remedy)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _cut_smaller(policy: Policy, examples: Sequence[Example], bench: Workbench) -> bool:
    """Halve the size of micro-batches until there are more of them; False when each holds one example already."""
    count = len(policy.micro_batches(examples, bench.micro_batch_size))
    while count < len(examples) and bench.micro_batch_size > 1:
        bench.micro_batch_size //= 2
        if len(policy.micro_batches(examples, bench.micro_batch_size)) > count:
            return True
    return False
