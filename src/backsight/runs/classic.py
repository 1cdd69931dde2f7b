"""`rlhf_finetune`: training of any `torch.nn.Module` on any Gymnasium environment, in one call."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

from backsight.distributed.environment import check_alone
from backsight.environments.gymnasium import GymnasiumEnvironment, GymnasiumEpisode
from backsight.errors import ConfigError, ModelError
from backsight.feedback.environment import EnvironmentFeedback
from backsight.hindsight.base import Hindsight
from backsight.hindsight.options import MethodOptions
from backsight.hindsight.prompt.options import RelabelOptions
from backsight.policies.distributions import ActionHead, CategoricalHead, GaussianHead
from backsight.policies.module import ModulePolicy
from backsight.reports import run_folder
from backsight.rollouts.engines import engine_for
from backsight.seeds import derive_seed
from backsight.traces import Trace
from backsight.training.config import StopConfig, TrainingConfig
from backsight.training.progress import Progress
from backsight.training.trainer import EpisodeSource, Recorder, Trainer
from backsight.types import Group

CHECKED_OBSERVATIONS = 8
"""Number of sampled observations on which the model is tried before the first episode."""
SMALL_MODEL = 100_000
"""Number of parameters below which a second thread slows a module down (by a quarter, for the textbook's network)."""
LARGEST_SEED = 2**31
"""Bound of the seeds of environments, which may hand them to generators that take no larger one."""


@dataclass(frozen=True, slots=True)
class ClassicResult:
    """The result of a call of `rlhf_finetune`."""

    model: nn.Module
    """The model that was given, trained in place."""
    episode_returns: list[float] = field(default_factory=list)
    """Return of each episode as the environment paid it, undiscounted, in order."""
    hindsight_returns: list[float] = field(default_factory=list)
    """Return of each episode by the environment's `hindsight_reward`; empty when it has none."""

    def record(
        self, progress: Progress, metrics: dict[str, float], groups: Sequence[Group], traces: Sequence[Trace]
    ) -> None:
        """Record the returns of the episodes of a training step."""
        for trajectory in (trajectory for group in groups for trajectory in group.trajectories):
            self.episode_returns.append(sum(step.reward or 0.0 for step in trajectory.steps))
            if trajectory.feedback.step_rewards is not None:
                self.hindsight_returns.append(sum(trajectory.feedback.step_rewards))

    def tell(self, progress: Progress, message: str) -> None:
        """Ignore the message: the call reports by its result alone."""

    def flush(self) -> None:
        """Do nothing, because everything is recorded at once."""


def rlhf_finetune(
    model: nn.Module,
    env: Any,
    num_episodes: int,
    num_steps: int,
    learning_rate: float,
    *,
    seed: int = 0,
    hindsight: MethodOptions | Hindsight[MethodOptions] | None = None,
    output_dir: str | None = None,
) -> ClassicResult:
    """Train `model` in place on a Gymnasium environment, for `num_episodes` episodes of up to `num_steps` steps.

    `model` maps a batch of flat float observations to a row of numbers each: probabilities or logits for `Discrete` and
    `MultiDiscrete` actions (the parts side by side), means and optionally log-deviations for `Box` actions.

    If the environment has a method `hindsight_reward(state, action, next_state)`, it is called for every step once the
    episode is over, and the policy learns to earn what it returns; otherwise the policy learns to earn the
    environment's rewards. With Gymnasium's goals (a `Dict` with `desired_goal`, and `compute_reward`), an episode that
    failed is imitated as well, as a success at what it achieved. `hindsight` is a hindsight method or its options, by
    default `RelabelOptions()`. With `output_dir` the run is recorded in a new folder there, for `backsight view`.

    The policy learns from batches of whole episodes, and not from single steps: rewards-to-go, compared with their mean
    at the same time step, give a clipped policy gradient whose learning rate falls to zero over the run. The same seed
    and the same initial model give the same run.

        result = backsight.rlhf_finetune(model, gymnasium.make("CartPole-v1"), 1000, 200, 0.01)

    Raises:
        ConfigError: when a number is out of its range, or several processes were started to learn together.
        ModelError: when the model has nothing to train, or stopped giving finite numbers.
        SpaceError: when environment and model do not fit together.
        RewardError: when a reward is not a finite number, or `hindsight_reward` raised.
    """
    check_alone("rlhf_finetune")
    _check_count("num_episodes", num_episodes, at_least=1)
    _check_count("num_steps", num_steps, at_least=1)
    _check_count("seed", seed, at_least=0)
    if not _is_number(learning_rate) or not 0 < learning_rate < math.inf:
        raise ConfigError("learning_rate", learning_rate, "has to be a finite number above 0")
    if not isinstance(model, nn.Module):
        raise ModelError("model", type(model).__name__, "is no torch.nn.Module; derive it from one")
    environment = GymnasiumEnvironment(env)
    policy = ModulePolicy(model, _head(environment), environment.sample_observations(CHECKED_OBSERVATIONS))
    result = ClassicResult(model)
    source = EpisodeSource(
        engine=engine_for(policy),
        environments=lambda start: GymnasiumEpisode(environment, start, num_steps),
        starts=[derive_seed(seed, "episode", number) % LARGEST_SEED for number in range(num_episodes)],
        feedback=EnvironmentFeedback(),
        side_by_side=1,
    )
    config = training_config(num_episodes, learning_rate, seed)
    method = hindsight or RelabelOptions()
    method = method.build() if isinstance(method, MethodOptions) else method
    recorders: list[Recorder] = [result]
    if output_dir is not None:
        config = config.model_copy(update={"trace": "sampled"})
        recorders.append(_open_folder(Path(output_dir), environment, method, config))
    was_training = model.training
    try:
        # the trainer sets the global seed; the caller's is left alone
        with torch.random.fork_rng(devices=[]), _threads_that_pay(model):
            Trainer(policy, source, method, config, recorders=recorders).train()
    finally:
        model.train(was_training)
    return result


class _Folder:
    """A recorder that writes to a run folder."""

    def __init__(self, folder: run_folder.Recorder) -> None:
        self.folder = folder

    def record(
        self, progress: Progress, metrics: dict[str, float], groups: Sequence[Group], traces: Sequence[Trace]
    ) -> None:
        self.folder.add_metrics(progress.step, metrics)
        self.folder.add_trajectories(progress.step, groups)
        if traces:
            self.folder.add_traces(progress.step, traces)

    def tell(self, progress: Progress, message: str) -> None:
        self.folder.add_message(progress.step, message)

    def flush(self) -> None:
        self.folder.sync()


def _open_folder(
    output_dir: Path, environment: GymnasiumEnvironment, method: Hindsight[MethodOptions], config: TrainingConfig
) -> _Folder:
    settings = {"environment": environment.name, "hindsight": method.options.label, **config.model_dump(mode="json")}
    name = f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', environment.name)}-{method.options.label}"
    text = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)
    return _Folder(run_folder.Recorder.create(output_dir, None, name, text))


def training_config(num_episodes: int, learning_rate: float, seed: int) -> TrainingConfig:
    """Return the settings: small batches of episodes, several clipped passes over each, a rate that ends at zero."""
    return TrainingConfig(
        stop=StopConfig(max_attempts=num_episodes),
        algorithm="reinforce",
        loss_type="clip",
        discount=0.99,
        prompts_per_step=10,
        num_generations=1,
        num_iterations=4,
        learning_rate=learning_rate,
        lr_scheduler_type="linear",
        max_grad_norm=0.5,
        trace="off",
        seed=seed,
    )


@contextmanager
def _threads_that_pay(model: nn.Module) -> Iterator[None]:
    """Use one thread for a small model inside the block: handing out its work would take longer than doing it."""
    threads = torch.get_num_threads()
    if sum(parameter.numel() for parameter in model.parameters()) < SMALL_MODEL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _head(environment: GymnasiumEnvironment) -> ActionHead:
    sizes = environment.action_sizes
    return GaussianHead(environment.action_scale) if sizes is None else CategoricalHead(sizes)


def _check_count(name: str, value: object, at_least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        raise ConfigError(name, value, f"has to be a whole number of at least {at_least}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
