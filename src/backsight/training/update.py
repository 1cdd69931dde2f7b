"""Step 4 of the training loop: `update` changes the policy to fit the examples, and returns metrics.

The loss is defined in `objective.py`; here a batch is cut into pieces that fit into memory, and their gradients are
added up. With bf16 the model has weights in bfloat16 and the optimizer a float32 master copy: a step of the size of a
usual learning rate is lost in the eight bits of a bfloat16 number, but not in the master copy.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from backsight.distributed.ranks import ALONE, Ranks
from backsight.distributed.weights import Weights
from backsight.errors import ConfigError
from backsight.policies.base import Policy, trained_weights
from backsight.policies.memory import round_to_bfloat16
from backsight.profiling import Profile
from backsight.training.agreement import Agreement
from backsight.training.config import OptimizerConfig, TrainingConfig
from backsight.training.dealing import deal
from backsight.training.frozen_scores import ELSEWHERE, FrozenScores, ask_frozen_policies, count_taught
from backsight.training.objective import has_signal, micro_batch_loss
from backsight.training.teacher import Teacher
from backsight.training.tracing import Tracer
from backsight.training.weights import ScoredExample, WeightedExample, weigh_examples
from backsight.types import Example


@dataclass(slots=True)
class UpdateState:
    """State that an update keeps from one step to the next."""

    micro_batch_size: int
    """Size of a micro-batch in tokens; it is halved whenever memory runs out."""
    profile: Profile = field(default_factory=Profile)
    tracer: Tracer | None = None
    """Watcher of some rows, for people to look at."""
    ranks: Ranks = ALONE
    """The processes that learn together, each its own rows."""
    weights: Weights | None = None
    """The weights that are trained, if they are shared out among ranks; None: those of the policy."""


def update(
    policy: Policy,
    reference: Policy | None,
    examples: Sequence[Example],
    optimizer: torch.optim.Optimizer,
    config: TrainingConfig,
    state: UpdateState | None = None,
    teacher: Teacher | None = None,
    agreement: Agreement | None = None,
) -> dict[str, float]:
    """Take `num_iterations` times `mini_batches` optimizer steps, and return the means of their metrics.

    A step whose loss, gradient or metrics are not finite is not taken; ``frac_steps_skipped`` is the share of these.

    `reference` is the frozen policy of the KL term, needed when `beta` is above 0. `teacher` knows what was revealed
    and is needed when an example has teacher weights. Both score every example once. `agreement` compares what was
    sampled with the learner's own log-probabilities. The mini-batches are drawn from torch's global generator, which
    the trainer seeds.

    Raises:
        ConfigError: when a single example does not fit into memory.
        ModelError: when `agreement` finds that sampler and learner differ by too much.
    """
    state = state or UpdateState(config.micro_batch_size)
    scored = _ask_frozen(policy, reference, teacher, examples, config, state)
    sums: Counter[str] = Counter()
    num_steps = num_skipped = 0
    for parts in _passes(scored, config, state, agreement):
        for part in parts:
            metrics = _optimizer_step(policy, part, optimizer, config, state, agreement)
            num_steps += 1
            if metrics is None:
                num_skipped += 1
            else:
                sums.update(metrics)
    means = {key: value / (num_steps - num_skipped) for key, value in sums.items()}
    return {**means, "frac_steps_skipped": num_skipped / num_steps} if num_skipped else means


def weigh_step(
    policy: Policy,
    reference: Policy | None,
    teacher: Teacher | None,
    examples: Sequence[Example],
    config: TrainingConfig,
    state: UpdateState,
) -> list[WeightedExample]:
    """Return the rows that a step of one pass would learn from, with their weights."""
    scored = _ask_frozen(policy, reference, teacher, examples, config, state)
    return _with_signal(weigh_examples(scored, config), config)


def _ask_frozen(
    policy: Policy,
    reference: Policy | None,
    teacher: Teacher | None,
    examples: Sequence[Example],
    config: TrainingConfig,
    state: UpdateState,
) -> list[ScoredExample]:
    """Pair the examples with the scores of frozen policies, which those without signal do not need.

    Every rank weighs all examples, and asks about those that it learns.
    """
    taught = [index for index, each in enumerate(examples) if has_signal(each, config)]
    own = deal(policy, examples, state.micro_batch_size, state.ranks)
    asked = [index for index in taught if index in own]
    answers = ask_frozen_policies(
        reference if config.penalises_kl else None,
        None if teacher is None else teacher.target,
        [examples[index] for index in asked],
        config,
        state.micro_batch_size,
        state.profile,
        count_taught([examples[index] for index in taught]),
    )
    known = dict(zip(asked, answers, strict=True))
    return [
        (example, known.get(index, FrozenScores()) if index in own else ELSEWHERE)
        for index, example in enumerate(examples)
    ]


def _passes(
    scored: Sequence[ScoredExample], config: TrainingConfig, state: UpdateState, agreement: Agreement | None
) -> Iterator[list[list[ScoredExample]]]:
    """Yield the parts of each pass: divided anew, or as before where they were scored before the first update."""
    if agreement is not None and agreement.recomputes:
        parts = _mini_batches(scored, config.mini_batches, state.ranks)
        yield from [agreement.settle_before(parts, state.micro_batch_size, state.profile)] * config.num_iterations
    else:
        yield from (_mini_batches(scored, config.mini_batches, state.ranks) for _ in range(config.num_iterations))


def _mini_batches(examples: Sequence[ScoredExample], count: int, ranks: Ranks) -> list[list[ScoredExample]]:
    """Divide the examples into `count` random parts of about the same size; a single part keeps their order."""
    if count == 1:
        return [list(examples)] if examples else []
    order = ranks.agree(torch.randperm(len(examples)).tolist())
    parts = [[examples[index] for index in order[first::count]] for first in range(count)]
    return [part for part in parts if part]


def _optimizer_step(
    policy: Policy,
    scored: Sequence[ScoredExample],
    optimizer: torch.optim.Optimizer,
    config: TrainingConfig,
    state: UpdateState,
    agreement: Agreement | None,
) -> dict[str, float] | None:
    """Take one step, and return its metrics; None when they are not finite, and the step was not taken."""
    weighted = _with_signal(weigh_examples(scored, config), config)
    metrics = {
        "frac_examples_with_signal": len(weighted) / len(scored),
        "frac_off_policy": sum(example.behaviour_log_probs is None for example, _ in scored) / len(scored),
    }
    if not weighted:
        return metrics
    parts = take_step(policy, weighted, optimizer, config, state, agreement)
    return None if parts is None else metrics | parts


def _with_signal(weighted: Sequence[WeightedExample], config: TrainingConfig) -> list[WeightedExample]:
    """Return the rows that can change the policy, which are those that a step learns from."""
    return [each for each in weighted if has_signal(each.example, config)]


def take_step(
    policy: Policy,
    weighted: Sequence[WeightedExample],
    optimizer: torch.optim.Optimizer,
    config: TrainingConfig,
    state: UpdateState,
    agreement: Agreement | None = None,
) -> dict[str, float] | None:
    """Take one optimizer step on rows that are weighed, and return its metrics.

    The result is None when they are not finite, and the step was not taken.
    """
    weights = state.weights or Weights(policy.module)
    while (sums := _gradient(policy, weights, weighted, optimizer, config, state, agreement)) is None:
        _make_room(policy, [each.example for each in weighted], state)
    if agreement is not None:
        agreement.close()
    with state.profile.phase("optimizer"):
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        norm = weights.norm([each.grad for each in parameters if each.grad is not None])
        torch.nn.utils.clip_grads_with_norm_(parameters, config.max_grad_norm, norm)
        metrics = {**_sums_of_all(sums, state.ranks), "grad_norm": float(norm)}
        is_finite = all(map(math.isfinite, metrics.values()))
        if is_finite:
            optimizer.step()
        weights.gather()
    if is_finite and state.tracer is not None:
        state.tracer.keep()
    return metrics if is_finite else None


def _sums_of_all(sums: Mapping[str, Tensor], ranks: Ranks) -> dict[str, float]:
    """Return the sums of metrics over the rows of all ranks."""
    parts = ranks.gather({key: float(value) for key, value in sums.items()})
    return {
        key: sum(part.get(key, 0.0) for part in parts) for key in dict.fromkeys(key for part in parts for key in part)
    }


def _gradient(
    policy: Policy,
    weights: Weights,
    weighted: Sequence[WeightedExample],
    optimizer: torch.optim.Optimizer,
    config: TrainingConfig,
    state: UpdateState,
    agreement: Agreement | None,
) -> dict[str, Tensor] | None:
    """Add up the gradients of the micro-batches, and return the sums of their metrics; None when memory ran out.

    Each rank takes its own rows, in as many passes as the others: layers are put together by all ranks at once.
    """
    sums: dict[str, Tensor] = {}
    own = [each for each in weighted if each.scores is not ELSEWHERE]
    cuts = policy.micro_batches([each.example for each in own], state.micro_batch_size)
    num_passes = max(state.ranks.gather(len(cuts)))
    optimizer.zero_grad(set_to_none=True)
    weights.share_out()
    settle = None if agreement is None else agreement.settle
    if agreement is not None:
        agreement.clear()
    if state.tracer is not None:
        state.tracer.clear()
    try:
        for cut in cuts:
            batch = [own[index] for index in cut]
            with state.profile.phase("forward"):
                loss, parts, decisions = weights.compute(partial(micro_batch_loss, policy, batch, config, settle))
            if state.tracer is not None:
                state.tracer.watch(batch, decisions.log_probs_N)
            with state.profile.phase("backward", decisions.num_tokens):
                loss.backward()  # type: ignore[no-untyped-call]
            state.profile.tokens["forward"] += decisions.num_tokens
            sums = {key: value + sums.get(key, 0.0) for key, value in parts.items()}
        for _ in range(num_passes - len(cuts)):
            _pass_idly(policy, weights, weighted)
        weights.sum_gradients()
    except (RuntimeError, MemoryError) as error:
        if not _is_out_of_memory(error):
            raise
        return None
    return sums


def _pass_idly(policy: Policy, weights: Weights, weighted: Sequence[WeightedExample]) -> None:
    """Take part in a pass of other ranks without a row of one's own: the gradient is 0."""
    shortest = min((each.example for each in weighted), key=lambda each: each.num_decisions)
    loss = weights.compute(lambda: policy.log_probs([shortest]).log_probs_N.sum() * 0.0)
    loss.backward()  # type: ignore[no-untyped-call]


def _is_out_of_memory(error: BaseException) -> bool:
    complaints = ("not enough memory", "can't allocate memory")  # torch's own words, on a CPU
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(each in str(error) for each in complaints)


def _make_room(policy: Policy, examples: Sequence[Example], state: UpdateState) -> None:
    """Make micro-batches smaller; once they hold one example each, compute layers again in the backward pass.

    Raises:
        ConfigError: when neither can save any more memory.
    """
    if state.ranks.size > 1:  # the others are in the middle of a pass, and wait for this one
        raise ConfigError("micro_batch_size", state.micro_batch_size, "memory ran out on one of the ranks; lower it")
    if not _cut_smaller(policy, examples, state) and not policy.recompute_layers():
        remedy = "one example alone does not fit into memory; shorten prompts, or lower max_completion_length"
        raise ConfigError("micro_batch_size", state.micro_batch_size, remedy)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _cut_smaller(policy: Policy, examples: Sequence[Example], state: UpdateState) -> bool:
    """Halve the size of micro-batches until there are more of them; return False if each holds one example already."""
    count = len(policy.micro_batches(examples, state.micro_batch_size))
    while count < len(examples) and state.micro_batch_size > 1:
        state.micro_batch_size //= 2
        if len(policy.micro_batches(examples, state.micro_batch_size)) > count:
            return True
    return False


HAS_FUSED = ("cpu", "cuda")
"""Devices on which AdamW updates all weights in one pass."""


def make_optimizer(
    module: nn.Module, config: OptimizerConfig, shards: list[nn.Parameter] | None = None
) -> torch.optim.Optimizer:
    """Make an AdamW optimizer of the weights of the module that are trained, in their order, or of their masters.

    With `shards`, it changes these parts of them in float32, from which the module takes what it computes with.
    """
    has_masters = config.bf16 and shards is None
    parameters = shards or (_master_weights(module) if has_masters else list(trained_weights(module).values()))
    optimizer = torch.optim.AdamW(
        parameters,
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        fused=all(each.device.type in HAS_FUSED for each in parameters),
    )
    if has_masters:
        optimizer.register_step_post_hook(lambda *_: _round_to(module, parameters))
    return optimizer


def _master_weights(module: nn.Module) -> list[nn.Parameter]:
    """Turn the module to bfloat16, and return the float32 masters of the weights that are trained, in their order.

    Each gradient is added to that of its master in float32 at once, so that accumulation loses nothing either.
    """
    parameters = list(trained_weights(module).values())
    masters = [nn.Parameter(parameter.detach().float().clone()) for parameter in parameters]
    round_to_bfloat16(module)
    for parameter, master in zip(parameters, masters, strict=True):
        parameter.register_post_accumulate_grad_hook(_passing_on_to(master))  # type: ignore[no-untyped-call]
    return masters


def _passing_on_to(master: nn.Parameter) -> Callable[[Tensor], None]:
    def pass_on(parameter: Tensor) -> None:
        assert parameter.grad is not None
        if master.grad is None:
            master.grad = parameter.grad.float()
        else:
            master.grad += parameter.grad
        parameter.grad = None

    return pass_on


@torch.no_grad()
def _round_to(module: nn.Module, masters: list[nn.Parameter]) -> None:
    """Set the module's weights to their masters, rounded."""
    for parameter, master in zip(trained_weights(module).values(), masters, strict=True):
        parameter.copy_(master)
