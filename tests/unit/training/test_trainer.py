"""A run stops, goes on to the same bits, and tells what it did."""

import math
import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import sampler_for
from tiny_models import tiny_policy
from toy_tasks import WORDS, GoalString

from backsight.errors import DataError, DivergedError
from backsight.hindsight.options import OutcomeOptions
from backsight.hindsight.prompt.options import RelabelOptions
from backsight.hindsight.response.options import ReviseOptions, SupervisedOptions
from backsight.hindsight.reward.options import RudderOptions
from backsight.hindsight.target.options import SelfDistillOptions
from backsight.policies.opening import open_policy
from backsight.policies.text import TextPolicy
from backsight.rollouts.engines import engine_for
from backsight.tasks.base import SingleTurn, TaskVerifier
from backsight.traces import Trace
from backsight.training.checkpoints import checkpoints, newest_checkpoint
from backsight.training.config import StopConfig, TeacherConfig, TrainingConfig
from backsight.training.progress import Progress
from backsight.training.trainer import EpisodeSource, Trainer
from backsight.types import Example, Feedback, Group, Trajectory

CONFIG = TrainingConfig(
    stop=StopConfig(max_steps=4),
    algorithm="rloo",
    learning_rate=1e-2,
    prompts_per_step=3,
    num_generations=2,
    max_completion_length=3,
    save_steps=2,
)


class Notes:
    def __init__(self) -> None:
        self.metrics: list[dict[str, float]] = []
        self.groups: list[Sequence[Group]] = []
        self.messages: list[str] = []

    def record(
        self, progress: Progress, metrics: dict[str, float], groups: Sequence[Group], traces: Sequence[Trace]
    ) -> None:
        self.metrics.append(metrics)
        self.groups.append(groups)

    def tell(self, progress: Progress, message: str) -> None:
        self.messages.append(message)

    def flush(self) -> None:
        """Nothing is put off."""


def trainer(policy: TextPolicy, folder: Path | None = None, config: TrainingConfig = CONFIG, **named: Any) -> Trainer:
    starts = GoalString(2).items("train")
    source = EpisodeSource(environments=SingleTurn, starts=starts, feedback=feedback, **sampler_for(policy, config))
    method = named.pop("hindsight", RelabelOptions().build())
    return Trainer(policy, source, method, config, checkpoint_folder=folder, **named)


def weights(policy: TextPolicy) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in policy.module.parameters()])


WAYS = {
    "plain": {},
    "bf16": {"bf16": True},
    "one step off": {"max_staleness": 1, "loss_type": "tis"},
    "one step off in bf16": {"max_staleness": 1, "loss_type": "clip", "bf16": True},
    "three steps off": {"max_staleness": 3, "loss_type": "tis"},
    "with a reference": {"beta": 0.1},
    "with a critic": {"algorithm": "ppo"},
    "with a teacher": {"teacher": TeacherConfig(check_steps=0)},
    "with a teacher that stays": {"teacher": TeacherConfig(update="frozen", check_steps=1)},
    "with a teacher that restarts": {
        "teacher": TeacherConfig(update="restart", restart_steps=3, share=(0.5, 0.8), share_steps=4, check_steps=0)
    },
    "with a method that learns": {},
}
METHODS = {
    "with a teacher": SelfDistillOptions(outcome_weight=1.0).build,
    "with a teacher that stays": SelfDistillOptions(outcome_weight=1.0).build,
    "with a teacher that restarts": SelfDistillOptions(outcome_weight=1.0).build,
    "with a method that learns": RudderOptions().build,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_resumed_run_ends_with_the_same_bits(way: str, tmp_path: Path) -> None:
    config = CONFIG.model_copy(update=WAYS[way])
    method = METHODS.get(way, RelabelOptions().build)
    straight = tiny_policy(words=WORDS)
    untrained = weights(straight)
    trainer(straight, config=config, hindsight=method()).train()
    assert not torch.equal(untrained, weights(straight))

    half = tiny_policy(words=WORDS)
    first_half = config.model_copy(update={"stop": StopConfig(max_steps=2)})
    trainer(half, tmp_path, first_half, hindsight=method()).train()
    resumed = open_policy(str(newest_checkpoint(tmp_path)))
    second = trainer(resumed, tmp_path, config, hindsight=method())
    second.resume(newest_checkpoint(tmp_path))
    second.train()

    assert torch.equal(weights(straight), weights(resumed))
    assert second.progress.step == 4 and second.progress.attempts == 24


def replace_stop(**stop: int) -> TrainingConfig:
    return CONFIG.model_copy(update={"stop": StopConfig(**stop)})


def test_the_same_seed_gives_the_same_run_and_another_does_not() -> None:
    ends = []
    for seed in (0, 0, 1):
        policy = tiny_policy(words=WORDS)
        trainer(policy, config=CONFIG.model_copy(update={"seed": seed})).train()
        ends.append(weights(policy))
    assert torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[0], ends[2])


def test_only_the_newest_checkpoints_are_kept(tmp_path: Path) -> None:
    trainer(tiny_policy(words=WORDS), tmp_path, replace_stop(max_steps=7)).train()
    assert [path.name for path in checkpoints(tmp_path)] == ["step-000006", "step-000007"]
    assert not list(tmp_path.glob(".*"))


def test_interrupt_finishes_the_step_and_saves(tmp_path: Path) -> None:
    class Interrupting(Notes):
        def record(
            self, progress: Progress, metrics: dict[str, float], groups: Sequence[Group], traces: Sequence[Trace]
        ) -> None:
            if progress.step == 3:
                os.kill(os.getpid(), signal.SIGINT)

    run = trainer(tiny_policy(words=WORDS), tmp_path, recorders=[Interrupting()])
    assert run.train() == "interrupted"
    assert checkpoints(tmp_path)[-1].name == "step-000003"


def test_attempts_are_not_overdrawn() -> None:
    notes = Notes()
    run = trainer(tiny_policy(words=WORDS), config=replace_stop(max_attempts=8), recorders=[notes])
    assert run.train() == "max_attempts=8 reached"
    assert [len(groups) for groups in notes.groups] == [3, 1]


def test_target_and_plateau_stop_on_the_evaluation() -> None:
    config = CONFIG.model_copy(update={"stop": StopConfig(target=0.5), "eval_steps": 1})
    scores = iter([0.1, 0.6, 0.9])
    run = trainer(tiny_policy(words=WORDS), config=config, evaluate=lambda progress: next(scores))
    assert run.train() == "target=0.5 reached"
    assert run.progress.step == 2


def test_metrics_have_the_names_users_know() -> None:
    notes = Notes()
    trainer(tiny_policy(words=WORDS), recorders=[notes]).train()
    expected = {
        "reward",
        "reward_std",
        "frac_reward_zero_std",
        "completions/mean_length",
        "learning_rate",
        "num_tokens",
    }
    assert expected <= notes.metrics[0].keys()


def test_the_first_ratio_is_one() -> None:
    """Sampler and learner are one process, so nothing is clipped before the first change of the policy."""
    notes = Notes()
    task = GoalString(1)
    policy = tiny_policy(words=WORDS)
    config = CONFIG.model_copy(update={"epsilon": 1e-4, "epsilon_high": 1e-4, "prompts_per_step": 8})
    source = EpisodeSource(engine_for(policy), SingleTurn, task.items("train"), feedback)
    Trainer(policy, source, RelabelOptions().build(), config, recorders=[notes]).train()
    assert notes.metrics[0]["frac_examples_with_signal"] > 0
    assert notes.metrics[0]["clip_ratio/region_mean"] == 0


def feedback(trajectories: Sequence[Trajectory], seed: int) -> list[Feedback]:
    """A reward that always differs between siblings, and a goal that one of them achieved."""
    return [
        Feedback(
            reward=float(number), success=False, achieved_prompts=(" red",) if number % 2 else None, correction=" blue"
        )
        for number in range(len(trajectories))
    ]


def test_supervised_samples_nothing_and_its_rows_count_as_attempts() -> None:
    notes = Notes()
    policy = tiny_policy(words=WORDS)
    run = trainer(policy, hindsight=SupervisedOptions().build(), recorders=[notes])
    run.train()
    assert all("num_tokens" not in each for each in notes.metrics)
    assert run.progress.attempts == 4 * 3
    assert notes.metrics[-1]["loss/imitation"] < notes.metrics[0]["loss/imitation"]


def test_an_empty_split_is_named() -> None:
    policy = tiny_policy(words=WORDS)
    source = EpisodeSource(engine_for(policy), SingleTurn, [], TaskVerifier(GoalString(1)))
    with pytest.raises(DataError, match="split is empty"):
        Trainer(policy, source, RelabelOptions().build(), CONFIG).train()


@pytest.mark.parametrize("staleness", [1, 2])
def test_steps_ahead_are_sampled_with_the_weights_from_before(staleness: int) -> None:
    """The first step after those that the untrained policy samples is sampled by that of the first update."""
    stop = StopConfig(max_steps=staleness + 2)
    config = CONFIG.model_copy(update={"max_staleness": staleness, "loss_type": "tis", "stop": stop})
    policy, notes = tiny_policy(words=WORDS), Notes()
    untrained = tiny_policy(words=WORDS)
    trainer(policy, config=config, recorders=[notes]).train()
    for step in range(staleness + 2):
        actions = [each.steps[0].action for group in notes.groups[step] for each in group.trajectories]
        prompts = [each.steps[0].observation for group in notes.groups[step] for each in group.trajectories]
        examples = [
            Example((prompt,), (action.value,), "test", torch.zeros(len(action.value)))
            for prompt, action in zip(prompts, actions, strict=True)
        ]
        with torch.no_grad():
            scores = untrained.log_probs(examples).log_probs_N
        sampled = torch.cat([action.log_probs for action in actions])
        assert torch.allclose(scores, sampled, atol=1e-4) == (step <= staleness)


def test_bf16_keeps_steps_that_are_too_small_for_it() -> None:
    """A thousandth of a weight is below bfloat16's resolution: without the master, nothing would ever change."""
    policy = tiny_policy(words=WORDS)
    config = CONFIG.model_copy(update={"bf16": True, "learning_rate": 1e-4, "stop": StopConfig(max_steps=12)})
    before = weights(policy)
    run = trainer(policy, config=config)
    masters = [parameter for group in run.optimizer.param_groups for parameter in group["params"]]
    run.train()
    moved = torch.cat([each.detach().flatten() for each in masters]) - before
    assert policy.model.dtype == torch.bfloat16
    assert float(moved.abs().max()) > 5e-4
    rounded = torch.cat([each.detach().flatten() for each in masters]).to(torch.bfloat16)
    assert torch.equal(rounded, weights(policy))


@pytest.mark.parametrize("way", ["plain", "one step off"])
def test_the_time_and_work_of_evaluations_are_of_no_step(way: str) -> None:
    policy, notes = tiny_policy(), Notes()
    run = trainer(
        policy,
        config=CONFIG.model_copy(update={"eval_steps": 1, **WAYS[way]}),
        recorders=[notes],
        evaluate=lambda progress: evaluate(),
    )

    def evaluate() -> float:
        with run.source.engine.profile.phase("decode", tokens=1000):
            return 0.0

    evaluate()
    run.train()
    for metrics in notes.metrics:
        tokens = metrics.get("tokens_per_second/decode", 0.0) * metrics.get("time/decode", 0.0)
        assert tokens <= 2 * metrics["num_tokens"], "of the step, and of the one that is sampled ahead"
        assert metrics["matrix_rate/achieved"] < 1
    assert any("time/decode" in metrics for metrics in notes.metrics)


def test_time_and_work_are_metered() -> None:
    notes = Notes()
    trainer(tiny_policy(words=WORDS), recorders=[notes]).train()
    for metrics in notes.metrics:
        phases = {key: value for key, value in metrics.items() if key.startswith("time/")}
        assert set(phases) >= {f"time/{name}" for name in ("prefill", "decode", "forward", "backward", "other")}
        assert sum(phases.values()) == pytest.approx(metrics["step_time"], rel=1e-6)
        assert metrics["tokens_per_second/decode"] > 0 and metrics["memory/peak_gib"] > 0.05
        assert 0 < metrics["matrix_rate/achieved"] < 1


class Zeros:
    """Everything fails, and what it should have been is said afterwards."""

    busy = ()

    def __init__(self, **revealed: Any) -> None:
        self.revealed = revealed

    def __call__(self, trajectories: Sequence[Trajectory], seeds: Sequence[int]) -> list[Feedback]:
        return [Feedback(reward=0.0, success=False, **self.revealed) for _ in trajectories]


@pytest.mark.parametrize(
    "revealed, remedy",
    [
        ({"achieved_prompts": (" red",)}, "hindsight=relabel would"),
        ({"correction": " red"}, "hindsight=self_distill or hindsight=revise would"),
        ({}, "give feedback beyond the reward"),
    ],
)
def test_a_step_that_teaches_nothing_says_why_and_what_would(revealed: dict[str, Any], remedy: str) -> None:
    policy, notes = tiny_policy(words=WORDS), Notes()
    source = EpisodeSource(engine_for(policy), SingleTurn, GoalString(1).items("train"), Zeros(**revealed))
    Trainer(policy, source, OutcomeOptions().build(), CONFIG, recorders=[notes]).train()
    (message,) = notes.messages  # said once, not at every step
    assert message.startswith("nothing to learn: all 3 groups scored 0;") and remedy in message


def test_the_teacher_pauses_loudly_while_the_teacher_is_no_better() -> None:
    policy, notes = tiny_policy(words=WORDS), Notes()
    before = weights(policy)
    source = EpisodeSource(engine_for(policy), SingleTurn, GoalString(1).items("train"), Zeros(correction=" red"))
    Trainer(policy, source, SelfDistillOptions().build(), CONFIG, recorders=[notes]).train()
    assert notes.messages[0].startswith("teacher pauses: with what was revealed the teacher earns 0,")
    assert notes.metrics[-1]["teacher/paused"] == 1.0 and notes.metrics[-1]["teacher/score"] == 0.0
    assert torch.equal(before, weights(policy))


def test_what_is_sampled_for_hindsight_counts_as_attempts() -> None:
    policy, notes = tiny_policy(words=WORDS), Notes()
    config = replace_stop(max_steps=1)
    source = EpisodeSource(engine_for(policy), SingleTurn, GoalString(1).items("train"), Zeros(correction=" red"))
    run = Trainer(policy, source, ReviseOptions().build(), config, recorders=[notes])
    run.train()
    assert notes.metrics[0]["hindsight/extra_attempts"] == 6 and run.progress.attempts == 12


def test_a_run_that_breaks_again_and_again_stops_with_the_last_whole_policy(tmp_path: Path) -> None:
    policy, notes = tiny_policy(words=WORDS), Notes()
    before = weights(policy)
    config = CONFIG.model_copy(update={"learning_rate": 1e30, "stop": StopConfig(max_steps=50)})
    run = trainer(policy, tmp_path, config, recorders=[notes])
    with pytest.raises(DivergedError, match="not finite in 3 steps in a row: lower learning_rate"):
        run.train()
    assert torch.equal(before, weights(policy)) and run.progress.step == 3
    assert torch.equal(before, weights(open_policy(str(newest_checkpoint(tmp_path)))))
    assert notes.messages[0].startswith("step 1 is not taken:") and len(notes.messages) == 3


def test_a_single_broken_step_is_said_and_the_run_goes_on() -> None:
    notes = Notes()
    run = trainer(tiny_policy(words=WORDS), recorders=[notes])
    look_back = run.look_back

    def spoil_the_second(groups: Sequence[Group]) -> Any:
        examples, groups, metrics = look_back(list(groups))
        if run.progress.step == 1:
            examples = [replace(each, weight=math.nan) for each in examples]
        return examples, groups, metrics

    run.look_back = spoil_the_second  # type: ignore[method-assign]
    assert run.train() == "max_steps=4 reached"
    (message,) = notes.messages
    assert message.startswith("step 2 is not taken: its loss or gradient is not finite")
    assert run.progress.broken_steps == 0 and all(torch.isfinite(weights(run.policy)))  # type: ignore[arg-type]
    assert all(math.isfinite(value) for metrics in notes.metrics for value in metrics.values())


@pytest.mark.parametrize("stop", [{"max_attempts": 7}, {"max_tokens": 20}, {"max_steps": 2}, {"max_seconds": 0.5}])
@pytest.mark.parametrize("method", [SupervisedOptions, OutcomeOptions, RelabelOptions])
def test_every_budget_ends_every_method(stop: dict[str, float], method: Any) -> None:
    run = trainer(tiny_policy(words=WORDS), config=replace_stop(**stop), hindsight=method().build())  # type: ignore[arg-type]
    assert run.train().startswith(next(iter(stop)))
