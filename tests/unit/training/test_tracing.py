"""Traces say how the loss pulls at each token, and change nothing of what is learnt."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny_models import tiny_policy
from toy_tasks import WORDS, GoalString

from backsight.hindsight.options import OutcomeOptions
from backsight.hindsight.prompt.options import RelabelOptions
from backsight.hindsight.target.options import SelfDistillOptions
from backsight.policies.text import TextPolicy
from backsight.profiling import Profile
from backsight.rollouts.engines import InProcessOptions
from backsight.tasks.base import SingleTurn, TaskVerifier
from backsight.traces import Trace
from backsight.training import tracing
from backsight.training.config import StopConfig, TeacherConfig, TrainingConfig
from backsight.training.progress import Progress
from backsight.training.tracing import Tracer
from backsight.training.trainer import EpisodeSource, Trainer
from backsight.training.update import UpdateState, make_optimizer, update
from backsight.types import AttemptKey, Example, Group, Trajectory

CONFIG = TrainingConfig(
    stop=StopConfig(max_steps=3),
    algorithm="rloo",
    loss_type="pg",
    learning_rate=1e-2,
    prompts_per_step=3,
    num_generations=4,
    max_completion_length=2,
    trace="all",
)


class Kept:
    """A recorder that keeps traces."""

    def __init__(self) -> None:
        self.traces: list[Sequence[Trace]] = []

    def record(
        self, progress: Progress, metrics: dict[str, float], groups: Sequence[Group], traces: Sequence[Trace]
    ) -> None:
        self.traces.append(traces)

    def tell(self, progress: Progress, message: str) -> None:
        pass

    def flush(self) -> None:
        pass


def train(config: TrainingConfig, options: Any = None) -> tuple[TextPolicy, list[Sequence[Trace]]]:
    policy, kept = tiny_policy(words=WORDS), Kept()
    engine = InProcessOptions().build(policy)
    task = GoalString(2)
    source = EpisodeSource(engine, SingleTurn, task.items("train"), TaskVerifier(task))
    Trainer(policy, source, (options or RelabelOptions()).build(), config, recorders=[kept]).train()
    return policy, kept.traces


def weights(policy: TextPolicy) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in policy.module.parameters()])


def test_tracing_changes_no_bit_of_what_is_learnt() -> None:
    ends = [weights(train(CONFIG.model_copy(update={"trace": how}))[0]) for how in ("off", "sampled", "all")]
    assert torch.equal(ends[0], ends[1]) and torch.equal(ends[0], ends[2])


def rows(policy: TextPolicy) -> list[Example]:
    words = [policy.encode(" red green")[:2], policy.encode(" blue gold")[:2]]
    prompts = [(" red",), (" blue",)]
    logs = [
        policy.log_probs([Example(prompt, (word,), "x")]).log_probs_N.detach()
        for prompt, word in zip(prompts, words, strict=True)
    ]
    return [
        Example(prompts[0], (words[0],), "outcome", torch.tensor([2.0, -1.0]), logs[0]),
        Example(prompts[1], (words[1],), "relabel", imitation_weights=torch.tensor([1.0, 0.5])),
    ]


def watched(config: TrainingConfig, **passes: int) -> list[Trace]:
    policy = tiny_policy(words=WORDS)
    config = config.model_copy(update=passes)
    tracer = Tracer(policy, config)
    examples = rows(policy)
    tracer.begin(0, examples, 0.0, 10_000, Profile())
    update(policy, None, examples, make_optimizer(policy.module, config), config, UpdateState(10_000, tracer=tracer))
    return tracer.end()


def test_the_pull_is_minus_the_derivative_of_the_loss_by_each_log_probability() -> None:
    attempt, relabelled = watched(CONFIG)
    # each source has a mean of its own, over two decisions: A/2 of the policy gradient, w/2 of the imitation
    assert attempt.push_T.tolist() == pytest.approx([1.0, -0.5])
    assert relabelled.push_T.tolist() == pytest.approx([0.5, 0.25])
    assert attempt.places == ("none",) and relabelled.places == ("prompt",)
    assert attempt.pieces == (" red", " green") and relabelled.pieces == (" blue", " gold")


def test_the_pull_of_several_passes_is_their_sum_and_what_the_clip_held_back_does_not_pull() -> None:
    (once, _), (thrice, _) = (watched(CONFIG, num_iterations=count) for count in (1, 3))
    # the plain policy gradient pulls as much in each pass
    assert thrice.push_T.tolist() == pytest.approx([3 * each for each in once.push_T.tolist()])
    assert not torch.equal(thrice.last_log_probs_T, thrice.log_probs_T)
    clipped = CONFIG.model_copy(update={"loss_type": "clip", "epsilon": 1e-6, "epsilon_high": 1e-6})
    (first, _), (last, _) = (watched(clipped, num_iterations=count) for count in (1, 5))
    assert last.push_T.tolist() == pytest.approx(first.push_T.tolist()), "from the second pass on nothing pulls"


def test_alternatives_are_the_likeliest_tokens_and_entropy_is_that_of_the_policy() -> None:
    policy = tiny_policy(words=WORDS)
    attempt, _ = watched(CONFIG)
    logits = policy.log_probs(rows(policy)[:1]).log_probs_N
    assert attempt.log_probs_T.tolist() == pytest.approx(logits.tolist())
    likeliest = attempt.alternatives[0]
    assert len(likeliest) == tracing.NUM_ALTERNATIVES
    assert [each.log_prob for each in likeliest] == sorted((each.log_prob for each in likeliest), reverse=True)
    assert attempt.log_probs_T[0] <= likeliest[0].log_prob + 1e-6
    assert 0 < attempt.entropy_T[0] < torch.tensor(float(len(policy.tokenizer))).log()


def test_the_teacher_and_the_reference_are_in_the_trace() -> None:
    config = CONFIG.model_copy(update={"beta": 0.1, "teacher": TeacherConfig(check_steps=0)})
    _, steps = train(config, SelfDistillOptions(outcome_weight=1.0))
    seen = [each for step in steps for each in step]
    assert seen and all(each.reference_T is not None for each in seen)
    _, steps = train(CONFIG, OutcomeOptions())
    assert all(each.reference_T is None and each.teacher_T is None for step in steps for each in step)


def test_a_sampled_step_holds_the_rows_of_one_group_that_teaches() -> None:
    policy = tiny_policy(words=WORDS)
    tracer = Tracer(policy, CONFIG.model_copy(update={"trace": "sampled"}))
    own = rows(policy)[0]
    attempts = [
        replace(
            own,
            prompts=(" red",),
            advantages=torch.full((2,), float(group == 1)),
            trajectory=Trajectory(None, (), key=AttemptKey(group, number)),
        )
        for group in range(3)
        for number in range(2)
    ]
    for step in range(5):
        tracer.begin(step, attempts, 0.0 if step == 0 else 1e9, 10_000, Profile())
        keys = [each.example.trajectory.key for each in tracer.end()]
        assert keys == [(1, 0), (1, 1)], "the other groups teach nothing"
    tracer.begin(5, [replace(each, advantages=torch.zeros(2)) for each in attempts], 1e9, 10_000, Profile())
    assert tracer.end() == []


def test_a_run_is_not_traced_beyond_its_share_of_the_time() -> None:
    policy = tiny_policy(words=WORDS)
    tracer = Tracer(policy, CONFIG.model_copy(update={"trace": "sampled"}))
    tracer.seconds = 1.0
    tracer.begin(0, rows(policy), 1.0 / tracing.LARGEST_SHARE - 1, 10_000, Profile())
    assert tracer.end() == []
    tracer.begin(0, rows(policy), 1.0 / tracing.LARGEST_SHARE + 1, 10_000, Profile())
    assert tracer.end() != []
