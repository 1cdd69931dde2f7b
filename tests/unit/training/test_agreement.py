"""Sampler and learner are compared on every step, before its first update."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from small_runs import sampler_for
from tiny_models import tiny_policy
from toy_tasks import WORDS, GoalString

from backsight.errors import ConfigError, ModelError
from backsight.hindsight.options import MethodOptions, OutcomeOptions
from backsight.hindsight.response.options import SupervisedOptions
from backsight.policies.base import Policy
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.policies.text import TextPolicy
from backsight.profiling import Profile
from backsight.rollouts.base import Engine
from backsight.rollouts.decoding.causal_lm import CausalLMEngine
from backsight.tasks.base import SingleTurn
from backsight.traces import Trace
from backsight.training.agreement import LARGEST, MEAN
from backsight.training.config import StopConfig, TrainingConfig
from backsight.training.progress import Progress
from backsight.training.trainer import EpisodeSource, Trainer
from backsight.types import Feedback, Group, Trajectory

CONFIG = TrainingConfig(
    stop=StopConfig(max_steps=2),
    learning_rate=1e-3,
    prompts_per_step=3,
    num_generations=4,
    max_completion_length=16,
    min_completion_length=16,
)


class Notes:
    def __init__(self) -> None:
        self.metrics: list[dict[str, float]] = []

    def record(
        self, progress: Progress, metrics: dict[str, float], groups: Sequence[Group], traces: Sequence[Trace]
    ) -> None:
        self.metrics.append(metrics)

    def tell(self, progress: Progress, message: str) -> None:
        """What is told is tested elsewhere."""

    def flush(self) -> None:
        """Nothing is put off."""


class Disagreeing:
    """An engine that acts as it should and says what is not so."""

    def __init__(self, engine: Engine, error: float) -> None:
        self.engine, self.error = engine, error

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def act(self, *request: Any) -> Any:
        for index, action in self.engine.act(*request):
            action.log_probs[-1] += self.error
            yield index, action


class Stale(CausalLMEngine):
    """An engine of this process that never hears of new weights."""

    def load_weights(self, policy: Policy) -> None:
        """Keep those it has."""


def parity(trajectories: Sequence[Trajectory], seeds: Sequence[int]) -> list[Feedback]:
    """A reward that differs between siblings, whatever they write."""
    return [Feedback(reward=float(sum(each.responses[0]) % 3), sources=("parity",)) for each in trajectories]


def equal(trajectories: Sequence[Trajectory], seeds: Sequence[int]) -> list[Feedback]:
    return [Feedback(reward=1.0, sources=("equal",)) for _ in trajectories]


def trainer(
    policy: TextPolicy,
    notes: Notes,
    error: float = 0.0,
    feedback: Any = parity,
    is_stale: bool = False,
    options: MethodOptions | None = None,
    wrap: type[Disagreeing] = Disagreeing,
    **settings: Any,
) -> Trainer:
    config = TrainingConfig.model_validate({**CONFIG.model_dump(), **settings})
    sampler: dict[str, Any] = sampler_for(policy, config)
    if error:
        sampler["engine"] = wrap(sampler["engine"], error)
    if is_stale:
        sampler["engine"] = Stale(tiny_policy(words=WORDS, seed=1), Profile())
    source = EpisodeSource(environments=SingleTurn, starts=GoalString(2).items("train"), feedback=feedback, **sampler)
    return Trainer(policy, source, (options or OutcomeOptions()).build(), config, recorders=[notes])


def weights(policy: CausalLMPolicy) -> torch.Tensor:
    return torch.cat([weight.detach().flatten() for weight in policy.module.parameters()])


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"num_iterations": 2, "mini_batches": 2},
        {"feedback": equal},  # nothing is learnt, so nothing is scored but for this
        {"max_staleness": 1, "loss_type": "tis"},
    ],
    ids=["one update", "several", "nothing to learn", "one step off"],
)
def test_the_difference_is_measured_on_every_step(settings: dict[str, Any]) -> None:
    notes = Notes()
    trainer(tiny_policy(words=WORDS), notes, **settings).train()
    assert len(notes.metrics) == 2
    for metrics in notes.metrics:
        assert 0 < metrics[MEAN] <= metrics[LARGEST]
    assert notes.metrics[0][LARGEST] < 1e-5


def test_where_nothing_is_sampled_nothing_is_measured() -> None:
    notes = Notes()
    trainer(tiny_policy(words=WORDS), notes, options=SupervisedOptions()).train()
    assert LARGEST not in notes.metrics[0]


@pytest.mark.parametrize("feedback", [parity, equal])
@pytest.mark.parametrize(
    ("fault", "remedy"), [({"error": 3.0}, "try engine=in_process"), ({"is_stale": True}, "try another release")]
)
def test_above_the_bound_the_run_stops_before_it_learns(fault: dict[str, Any], remedy: str, feedback: Any) -> None:
    policy, notes = tiny_policy(words=WORDS), Notes()
    before = weights(policy)
    with pytest.raises(ModelError) as stopped:
        trainer(policy, notes, feedback=feedback, **fault).train()
    message = str(stopped.value)
    assert (
        message.startswith("policy: LlamaForCausalLM")
        and "sampler and learner disagree: log-probabilities differ" in message
    )
    assert remedy in message and len(message) < 300 and "\n" not in message
    assert torch.equal(weights(policy), before) and not notes.metrics


def test_weights_of_another_age_are_no_fault() -> None:
    notes = Notes()
    trainer(tiny_policy(words=WORDS), notes, max_staleness=1, loss_type="tis", learning_rate=0.05).train()
    assert notes.metrics[1][LARGEST] > 0.05 > notes.metrics[0][LARGEST]


FINE = [{"algorithm": "gspo"}, {"algorithm": "rloo"}, {"epsilon": 1e-3, "epsilon_high": 1e-3}]


@pytest.mark.parametrize("updates", [{}, {"mini_batches": 2}, {"num_iterations": 2, "mini_batches": 2}])
@pytest.mark.parametrize("loss", FINE, ids=["gspo", "sequence_clip", "narrow clip"])
def test_rounding_holds_nothing_back(loss: dict[str, Any], updates: dict[str, Any]) -> None:
    """With a learning rate of next to nothing the policy stays as it was, so each ratio is 1."""
    notes = Notes()
    trainer(tiny_policy(words=WORDS), notes, bf16=True, learning_rate=1e-12, **loss, **updates).train()
    for metrics in notes.metrics:
        assert metrics["clip_ratio/region_mean"] == 0
        assert metrics["grad_norm"] > 0
        assert metrics[MEAN] > 3e-4, "the sampler's rounding alone is more than GSPO's bounds"


def test_a_coarse_loss_is_compared_with_the_sampler() -> None:
    one, two = tiny_policy(words=WORDS), tiny_policy(words=WORDS)
    assert not trainer(one, Notes(), bf16=True).agreement.recomputes
    assert not trainer(two, Notes(), algorithm="gspo").agreement.recomputes
    assert trainer(copy.deepcopy(two), Notes(), error=0.1, algorithm="gspo").agreement.recomputes


def test_old_attempts_and_a_fine_loss_do_not_go_together_in_low_precision() -> None:
    with pytest.raises(ConfigError, match="max_staleness: 1: the ratios of loss_type=gspo are finer than bfloat16"):
        trainer(tiny_policy(words=WORDS), Notes(), max_staleness=1, algorithm="gspo", bf16=True)
    trainer(tiny_policy(words=WORDS), Notes(), max_staleness=1, algorithm="gspo")


class AtAnEdge(Disagreeing):
    """An engine that rules out, at the first decision of the first prompt, a token that the learner lets pass."""

    def act(self, observations: Sequence[Any], *request: Any) -> Any:
        for index, action in self.engine.act(observations, *request):
            if observations[index] == observations[0]:
                action.log_probs[0] += self.error
            yield index, action


@pytest.mark.parametrize("size", [{}, {"num_generations": 12, "prompts_per_step": 1}])
@pytest.mark.parametrize("settings", [{"top_p": 0.95}, {"min_p": 0.2}, {"top_k": 9}])
def test_a_token_at_the_edge_of_what_can_be_drawn_is_no_fault(settings: dict[str, Any], size: dict[str, int]) -> None:
    notes = Notes()
    trainer(tiny_policy(words=WORDS), notes, 3.0, wrap=AtAnEdge, **settings, **size).train()
    assert notes.metrics[0][LARGEST] > 2.9, "it is logged all the same"


@pytest.mark.parametrize("fault", [{"wrap": AtAnEdge}, {"top_p": 0.95}])
def test_a_difference_that_no_edge_explains_is_a_fault(fault: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="sampler and learner disagree"):
        trainer(tiny_policy(words=WORDS), Notes(), 3.0, **fault).train()
