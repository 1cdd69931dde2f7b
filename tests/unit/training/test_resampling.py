"""Dynamic sampling: which groups taught nothing, how they are made up for, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import tiny_policy
from toy_tasks import WORDS, GoalString

from backsight.errors import ConfigError
from backsight.hindsight.base import LookBack
from backsight.hindsight.options import OutcomeOptions
from backsight.hindsight.response.options import GoldAnchorOptions
from backsight.policies.opening import open_policy
from backsight.rollouts.engines import engine_for
from backsight.tasks.base import SingleTurn
from backsight.traces import Trace
from backsight.training.checkpoints import newest_checkpoint
from backsight.training.config import StopConfig, TrainingConfig
from backsight.training.progress import Progress
from backsight.training.resampling import fill_up, find_lessons
from backsight.training.trainer import EpisodeSource, Trainer
from backsight.types import Action, AttemptKey, Example, Feedback, Group, Step, Trajectory


def config(**settings: Any) -> TrainingConfig:
    small = {"prompts_per_step": 3, "num_generations": 2, "max_completion_length": 3, "algorithm": "rloo"}
    return TrainingConfig(**{"stop": StopConfig(max_steps=4), "max_resample_rounds": 2, **small, **settings})


def attempt(group: int, is_truncated: bool = False) -> Trajectory:
    action = Action((5, 6), torch.zeros(2), is_truncated=is_truncated)
    return Trajectory("s", (Step(f"prompt {group}", action),), key=AttemptKey(group, 0))


def row(own: Trajectory, **parts: Any) -> Example:
    return Example(own.prompts, own.responses, "test", trajectory=own, **parts)


REMEDY = "give feedback beyond the reward (a correction, a comment, an achieved goal), or easier prompts"
ZEROS, ONES = torch.zeros(2), torch.ones(2)


@pytest.mark.parametrize(
    ("parts", "is_lesson"),
    [
        ({"advantages": ZEROS}, False),
        ({"advantages": ONES}, True),
        ({"advantages": ZEROS, "imitation_weights": ONES}, True),
        ({"advantages": ZEROS, "teacher_weights": ZEROS}, False),
        ({"advantages": ZEROS, "teacher_weights": ONES}, True),
    ],
)
def test_a_group_taught_something_if_one_of_its_examples_did(parts: dict[str, Any], is_lesson: bool) -> None:
    """A divergence from the reference is no lesson, though it moves the policy."""
    first, second = attempt(0), attempt(1)
    groups = [Group("s", (first,)), Group("s", (second,))]
    rows = [row(first, **parts), row(first, advantages=ZEROS), row(second, advantages=ZEROS)]
    kept, count = find_lessons(LookBack(groups, rows), config(beta=0.1))
    assert kept == (rows[:2] if is_lesson else []) and count == int(is_lesson)


def test_a_row_that_nobody_sampled_is_of_the_group_with_its_prompt() -> None:
    groups = [Group("s", (attempt(number),)) for number in range(2)]
    gold = Example(groups[1].trajectories[0].prompts, ((7,),), "gold_anchor", advantages=torch.ones(1))
    of_none = Example(("elsewhere",), ((7,),), "test", imitation_weights=torch.ones(1))
    assert find_lessons(LookBack(groups, [gold, of_none]), config()) == ([gold, of_none], 1)


def test_truncated_completions_that_are_left_out_teach_nothing() -> None:
    long = attempt(0, is_truncated=True)
    looked = LookBack([Group("s", (long,))], [row(long, advantages=ONES)])
    assert find_lessons(looked, config())[1] == 1
    assert find_lessons(looked, config(mask_truncated_completions=True)) == ([], 0)


@pytest.mark.parametrize(
    ("taught", "asked", "counts"),
    [
        ([3], [], (0, 3, 3)),
        ([1, 2], [2], (1, 3, 5)),
        ([1, 1, 0], [2, 1], (2, 2, 6)),  # the rounds are used up
        ([1, None], [2], (0, 1, 3)),  # and here the budget is
    ],
)
def test_rounds_go_on_until_the_step_is_full(
    taught: list[int | None], asked: list[int], counts: tuple[int, int, int]
) -> None:
    """`taught` is how many groups of each round teach something, and `asked` how many prompts each tries."""
    calls: list[int] = []

    def round_of(count: int, lessons: int) -> LookBack:
        attempts = [attempt(number) for number in range(count)]
        rows = [row(each, advantages=ONES if place < lessons else ZEROS) for place, each in enumerate(attempts)]
        return LookBack([Group("s", (each,)) for each in attempts], rows)

    def try_others(number: int, count: int, made: Sequence[Group]) -> LookBack | None:
        calls.append(count)
        lessons = taught[number]
        return None if lessons is None else round_of(count, lessons)

    first = taught[0]
    assert first is not None
    looked, metrics = fill_up(round_of(3, first), try_others, config())
    assert calls == asked
    assert tuple(metrics[f"dynamic_sampling/{name}"] for name in ("rounds", "groups_with_signal", "groups")) == counts
    assert len(looked.examples) == counts[1] and len(looked.groups) == counts[2]


class Notes:
    def __init__(self) -> None:
        self.groups: list[Sequence[Group]] = []
        self.metrics: list[dict[str, float]] = []
        self.messages: list[str] = []

    def record(
        self, progress: Progress, metrics: dict[str, float], groups: Sequence[Group], traces: Sequence[Trace]
    ) -> None:
        self.groups.append(groups)
        self.metrics.append(metrics)

    def tell(self, progress: Progress, message: str) -> None:
        self.messages.append(message)

    def flush(self) -> None:
        """Nothing is put off."""


def half_silent(trajectories: Sequence[Trajectory], seeds: Sequence[int]) -> list[Feedback]:
    """Nothing is earned at prompts that begin with red or green; elsewhere siblings always differ."""
    return [
        Feedback(reward=float(each.start.prompt.split()[0] in ("blue", "gold")) * (number % 2), success=False)
        for number, each in enumerate(trajectories)
    ]


def trainer(settings: TrainingConfig, policy: Any, folder: Path | None = None, **named: Any) -> Trainer:
    source = EpisodeSource(engine_for(policy), SingleTurn, GoalString(2).items("train"), half_silent)
    method = named.pop("hindsight", OutcomeOptions()).build()
    return Trainer(policy, source, method, settings, checkpoint_folder=folder, **named)


def weights(policy: Any) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in policy.module.parameters()])


def test_every_attempt_counts_and_every_prompt_comes_once_a_pass() -> None:
    notes = Notes()
    run = trainer(config(stop=StopConfig(max_steps=2)), tiny_policy(words=WORDS), recorders=[notes])
    run.train()
    sampled = [group for groups in notes.groups for group in groups]
    assert run.progress.attempts == sum(len(group.trajectories) for group in sampled) > 12
    assert run.progress.num_resampled == len(sampled) - 6
    ids = [group.start.id for group in sampled]
    assert len(ids) <= 16 and len(set(ids)) == len(ids)
    assert [each["dynamic_sampling/groups"] for each in notes.metrics] == [float(len(each)) for each in notes.groups]
    assert all(each["frac_examples_with_signal"] == 1.0 for each in notes.metrics)


def test_a_resumed_run_ends_with_the_same_bits(tmp_path: Path) -> None:
    settings = config(learning_rate=1e-2)
    straight = tiny_policy(words=WORDS)
    trainer(settings, straight).train()
    first_half = settings.model_copy(update={"stop": StopConfig(max_steps=2)})
    trainer(first_half, tiny_policy(words=WORDS), tmp_path).train()
    resumed = open_policy(str(newest_checkpoint(tmp_path)))
    second = trainer(settings, resumed, tmp_path)
    second.resume(newest_checkpoint(tmp_path))
    assert second.progress.num_resampled > 0
    second.train()
    assert torch.equal(weights(straight), weights(resumed))


@pytest.mark.parametrize("stop", [{"max_attempts": 9}, {"max_tokens": 12}])
def test_no_round_begins_once_the_budget_is_used_up(stop: dict[str, int]) -> None:
    notes = Notes()
    run = trainer(config(stop=StopConfig(**stop), max_resample_rounds=50), tiny_policy(words=WORDS), recorders=[notes])
    assert run.train().startswith(next(iter(stop)))
    assert run.progress.attempts <= 12


def test_a_step_in_which_nothing_teaches_ends_with_its_rounds_and_says_so() -> None:
    def silent(trajectories: Sequence[Trajectory], seeds: Sequence[int]) -> list[Feedback]:
        return [Feedback(reward=0.0, success=False) for _ in trajectories]

    policy, notes = tiny_policy(words=WORDS), Notes()
    before = weights(policy)
    source = EpisodeSource(engine_for(policy), SingleTurn, GoalString(2).items("train"), silent)
    Trainer(policy, source, OutcomeOptions().build(), config(mini_batches=2), recorders=[notes]).train()
    assert [len(groups) for groups in notes.groups] == [9, 9, 9, 9] and torch.equal(before, weights(policy))
    assert notes.messages == ["nothing to learn: all 9 groups scored 0; " + REMEDY]


def test_methods_that_learn_from_silent_groups_see_them_first() -> None:
    """The gold answer makes a lesson of every failed group, so that no other prompt is tried."""
    notes = Notes()
    trainer(config(), tiny_policy(words=WORDS), recorders=[notes], hindsight=GoldAnchorOptions()).train()
    assert all(each["dynamic_sampling/rounds"] == 0.0 for each in notes.metrics)


def test_it_cannot_be_sampled_ahead() -> None:
    with pytest.raises(ConfigError, match="max_resample_rounds: 2: .*leave out max_staleness"):
        config(max_staleness=1, loss_type="tis")
