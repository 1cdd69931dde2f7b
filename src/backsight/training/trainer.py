"""The training loop: collect, reveal, look back, update, until a stop condition holds.

It is the same for every policy, environment and hindsight method; none of them is named here.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch

from backsight.distributed.attempts import gather_groups
from backsight.distributed.ranks import ALONE, Ranks
from backsight.errors import DivergedError
from backsight.feedback.overlong import OverlongPunishment
from backsight.feedback.pool import FeedbackPool, Numbered, PendingFeedback
from backsight.hindsight.base import Hindsight, LookBack, number_attempts
from backsight.hindsight.options import MethodOptions
from backsight.interfaces import EnvironmentFactory, FeedbackSource
from backsight.interrupts import calling_on_interrupt
from backsight.policies.base import Policy
from backsight.profiling import Profile
from backsight.rollouts.base import Engine
from backsight.rollouts.collect import collect
from backsight.seeds import derive_seed
from backsight.traces import Trace
from backsight.training.agreement import Agreement
from backsight.training.best import BestPolicy
from backsight.training.checkpointer import Checkpointer
from backsight.training.config import TrainingConfig
from backsight.training.metrics import Meter, example_metrics, nothing_to_learn, rollout_metrics, unscored
from backsight.training.progress import Progress, count_starts, draw_starts, learning_rate, stop_reason, used_share
from backsight.training.resampling import fill_up
from backsight.training.safeguard import MOST_BROKEN_STEPS, Safeguard
from backsight.training.sampling_ahead import SamplingAhead
from backsight.training.scorer import RunScorer
from backsight.training.teacher import Teacher, in_precision
from backsight.training.tracing import Tracer
from backsight.training.update import UpdateState, make_optimizer, update, weigh_step
from backsight.training.weights import WeightedExample
from backsight.types import Example, Group


class Recorder(Protocol):
    """A recorder of what happened in a run, for example in a run folder (`backsight.reports.run_folder`)."""

    def record(
        self, progress: Progress, metrics: dict[str, float], groups: Sequence[Group], traces: Sequence[Trace]
    ) -> None:
        """Record a step. What is slow about it may be done later."""
        ...

    def tell(self, progress: Progress, message: str) -> None:
        """Tell the user something while the run goes on."""
        ...

    def flush(self) -> None:
        """Wait until everything that was recorded is written."""
        ...


@dataclass(frozen=True, slots=True)
class EpisodeSource:
    """The source of episodes: what acts, what it acts in, where each episode starts, and what judges it."""

    engine: Engine
    environments: EnvironmentFactory
    starts: Sequence[Any]
    feedback: FeedbackSource
    actor: Policy | None = None
    """The copy of the policy that the engine takes its weights from, with ``max_staleness``: the learner's own change
    while it samples."""
    side_by_side: int | None = None
    """Number of episodes that may run at the same time, 1 for a single environment; None sets no limit."""


class Trainer:
    """A training run. `train` may be called once."""

    def __init__(
        self,
        policy: Policy,
        source: EpisodeSource,
        hindsight: Hindsight[MethodOptions],
        config: TrainingConfig,
        *,
        recorders: Sequence[Recorder] = (),
        evaluate: Callable[[Progress], float] | None = None,
        checkpoint_folder: Path | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        """Make all parts of the run. `ranks` are the processes that learn the policy together with this one."""
        self.policy, self.source, self.hindsight, self.config = policy, source, hindsight, config
        self.recorders, self.evaluate, self.checkpoint_folder = recorders, evaluate, checkpoint_folder
        self.ranks = ranks
        self.reference = in_precision(policy.reference(), config.bf16) if config.beta > 0 else None
        self.teacher = Teacher(policy, config.teacher, config.bf16) if hindsight.options.needs_teacher else None
        self.weights = ranks.weights(policy.module, config.bf16)
        self.optimizer = make_optimizer(policy.module, config, self.weights.shards)
        self.num_generations = config.num_generations if hindsight.options.learns_from_attempts else 0
        self.pool = FeedbackPool(_punishing(source.feedback, config), config.reward_timeout, config.reward_workers)
        self.tracer = Tracer(policy, config, ranks)
        profile = Profile(next(policy.module.parameters()).device)
        self.update_state = UpdateState(config.micro_batch_size, profile, self.tracer, ranks, self.weights)
        self.scorer = RunScorer(
            policy, self.teacher, source.engine, self.pool, config, self.update_state, self.reference
        )
        self.agreement = Agreement(policy, source.engine, config, ranks)
        self.meter = Meter(policy)
        self.safeguard = Safeguard(policy, self.optimizer, self.weights)
        self.best = BestPolicy(policy) if config.keep_best else None
        self.ahead = self._sampling_ahead()
        self.progress = Progress()
        self.checkpointer = Checkpointer(
            policy,
            self.optimizer,
            self.weights,
            hindsight,
            self.reference,
            self.teacher,
            self.best,
            self.scorer.critic,
            self.ahead,
            ranks,
        )
        self._began = time.monotonic()
        source.engine.load_weights(policy)

    def train(self) -> str:
        """Repeat the four steps of the loop, and return why it stopped.

        A signal that asks the program to end, such as Ctrl-C, ends the run after the present step, so that what is
        saved is whole; a second one ends it at once.

        Raises:
            DivergedError: when several steps in a row were not finite. The policy is the last whole one by then.
        """
        with calling_on_interrupt(self._stop_after_this_step):
            while (reason := self._why_stop()) is None:
                self.take_profile()  # what was done between steps, such as an evaluation, is of no step
                self._began = time.monotonic()
                torch.manual_seed(derive_seed(self.config.seed, "update", self.progress.step))
                attempts = self.collect()
                examples, groups, metrics = self.look_back(self.reveal(attempts))
                metrics |= self.update(examples, groups) | ({} if self.ahead is None else self.ahead.metrics)
                seconds = self.ranks.agree(time.monotonic() - self._began)
                self.progress.seconds += seconds
                self.record(groups, examples, metrics | self.meter.metrics(self.take_profile(), seconds))
                if self.progress.broken_steps >= MOST_BROKEN_STEPS:
                    break
            self.progress.is_interrupted = self.ranks.any(self.progress.is_interrupted)
        if self.ahead is not None:
            self.ahead.discard()
        self.save()
        if reason is None:
            value = f"loss, gradient or weights were not finite in {MOST_BROKEN_STEPS} steps in a row"
            raise DivergedError(
                "model", value, "lower learning_rate, or the scale of rewards; the last whole policy was kept"
            )
        return reason

    def _sampling_ahead(self) -> SamplingAhead | None:
        """Return the sampler in the background; None where each step is sampled with the weights of now."""
        source, config = self.source, self.config
        if config.max_staleness == 0:
            return None
        assert source.actor is not None
        actor = in_precision(source.actor, config.bf16)
        return SamplingAhead(source.engine, actor, self.sample, config, self.num_generations)

    def _why_stop(self) -> str | None:
        """Return why the run is over; None while it is not; a signal to one rank ends all, after the same step."""
        is_interrupted = self.ranks.any(self.progress.is_interrupted)
        if is_interrupted:
            self.progress.is_interrupted = True
        # a signal that comes just now waits for the next step
        return stop_reason(self.config.stop, replace(self.progress, is_interrupted=is_interrupted))

    def collect(self) -> PendingFeedback:
        """Act with the current policy, or with that of a few steps ago (step 1).

        Finished attempts are judged while the others go on.
        """
        if self.ahead is not None:
            return self.ahead.take(self.progress, self.policy)
        self.source.engine.load_weights(self.policy)
        self.ranks.wait()  # for the first one, where an engine that all share gets its weights from it
        return self.sample(self.progress.step, self.progress.attempts)

    def sample(self, step: int, attempts: int) -> PendingFeedback:
        """Act in the episodes of a step; `attempts` is the number of attempts before it."""
        count = self.config.prompts_per_step
        starts = draw_starts(self.source.starts, step * count + self.progress.num_resampled, count, self.config.seed)
        return self._act(starts, step, attempts, (step,))

    def _act(self, starts: list[Any], step: int, attempts: int, name: tuple[int, ...]) -> PendingFeedback:
        """Act in episodes from these starts, with random draws of this name."""
        source, config = self.source, self.config
        seed = derive_seed(config.seed, "reveal", *name)
        starts = starts[: count_starts(config, attempts, self.num_generations)]
        own = {place: starts[place] for place in self.ranks.part(len(starts))}
        if self.num_generations == 0:
            return self._judge(((place, Group(start)) for place, start in own.items()), starts, seed, step)
        groups = collect(
            source.engine,
            source.environments,
            own,
            self.num_generations,
            config.sampling,
            derive_seed(config.seed, "collect", *name),
            side_by_side=source.side_by_side,
            success_threshold=config.success_threshold,
        )
        return self._judge(groups, starts, seed, step)

    def _judge(self, groups: Iterable[Numbered], starts: Sequence[Any], seed: int, step: int) -> PendingFeedback:
        """Hand this rank's groups on to be judged."""
        pending = self.pool.submit(groups, len(self.ranks.part(len(starts))), seed, step)
        pending.starts = starts
        return pending

    def reveal(self, attempts: PendingFeedback) -> list[Group]:
        """Wait for the feedback on the attempts, and return them with it (step 2), those of all ranks."""
        groups = gather_groups(self.ranks, self.pool.wait(attempts), attempts.starts)
        torch.set_rng_state(self.ranks.agree(torch.get_rng_state()))  # foreign code may have drawn numbers
        return groups

    def look_back(self, groups: Sequence[Group]) -> tuple[list[Example], Sequence[Group], dict[str, float]]:
        """3. Evaluate the behaviour in hindsight: the estimator's advantages, then the method's examples."""
        self.scorer.begin(self.progress)
        looked, metrics = self._look_back(groups), dict[str, float]()
        if self.config.max_resample_rounds:
            looked, metrics = fill_up(looked, self._try_others, self.config)
        groups, examples = looked
        trial = self.scorer.trial
        complaint = None if trial is None else trial.complaint
        self._tell([complaint, unscored(groups), nothing_to_learn(groups, examples, self.config)])
        return examples, groups, {**metrics, **example_metrics(examples), **({} if trial is None else trial.metrics)}

    def _look_back(self, groups: Sequence[Group]) -> LookBack:
        with self.update_state.profile.phase("look_back"):
            self.scorer.begin_round()
            groups = number_attempts(groups)
            if self.num_generations:
                groups = self.scorer.estimate(groups)
            looked = self.hindsight.look_back(groups, self.scorer)
            self.scorer.finish()
        return looked

    def _try_others(self, number: int, count: int, made: Sequence[Group]) -> LookBack | None:
        """Take the next starts of the data in round `number` of the present step, whose groups so far are `made`.

        Return None when they have used up the budget of the run.
        """
        progress, config = self._after(made), self.config
        if used_share(config.stop, progress) >= 1:
            return None
        first = (progress.step + 1) * config.prompts_per_step + progress.num_resampled
        starts = draw_starts(self.source.starts, first, count, config.seed)
        self.progress.num_resampled += count
        pending = self._act(starts, progress.step, progress.attempts, (progress.step, number))
        return self._look_back(self.reveal(pending))

    def _after(self, made: Sequence[Group]) -> Progress:
        """Return the progress as it would be counted if the present step ended with these groups."""
        attempts = [each for group in made for each in group.trajectories]
        return replace(
            self.progress,
            attempts=self.progress.attempts + len(attempts) + self.scorer.extra_attempts,
            tokens=self.progress.tokens + sum(each.num_decisions for each in attempts),
            seconds=self._seconds(),
        )

    def _seconds(self) -> float:
        """Return the time that the run has taken until now, evaluations left out."""
        return self.ranks.agree(self.progress.seconds + time.monotonic() - self._began)

    def _tell(self, messages: Sequence[str | None]) -> None:
        """Tell the user each message once, for as long as it stays true."""
        topics = {message.partition(":")[0]: message for message in messages if message is not None}
        for topic, message in topics.items():
            if topic not in self.progress.told:
                for recorder in self.recorders:
                    recorder.tell(self.progress, message)
        self.progress.told = sorted(topics)

    def update(self, examples: Sequence[Example], groups: Sequence[Group]) -> dict[str, float]:
        """Update the policy (step 4), and return metrics."""
        rate = self.set_learning_rate()
        state, agreement = self.update_state, self.agreement
        agreement.begin(self.progress.step, examples, groups, state.micro_batch_size, state.profile)
        self.tracer.begin(self.progress.step, examples, self._seconds(), state.micro_batch_size, state.profile)
        self.safeguard.begin()
        metrics = update(
            self.policy, self.reference, examples, self.optimizer, self.config, state, self.teacher, agreement
        )
        self._note_broken("frac_steps_skipped" in metrics, examples)
        if self.teacher is not None:
            self.teacher.follow(self.policy, self.progress.step)
        return {**metrics, **agreement.metrics, "learning_rate": rate}

    def set_learning_rate(self) -> float:
        """Set the optimizer to the learning rate of the next step, and return it."""
        rate = learning_rate(self.config, self.progress)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def weigh(self, examples: Sequence[Example]) -> list[WeightedExample]:
        """Return the rows of these that a step would learn from, with their weights; nothing is learnt."""
        return weigh_step(self.policy, self.reference, self.teacher, examples, self.config, self.update_state)

    def _note_broken(self, was_skipped: bool, examples: Sequence[Example]) -> None:
        """Undo the update if the policy is no longer whole, count broken steps in a row, and tell the user of them."""
        is_whole = not self.ranks.any(self.safeguard.has_changed and not self.safeguard.is_whole(examples))
        if not is_whole:
            self.safeguard.undo()
        if is_whole and not was_skipped:
            self.progress.broken_steps = 0
            return
        self.progress.broken_steps += 1
        broken = "its loss or gradient is not finite" if is_whole else "it leaves a model whose numbers are not finite"
        message = f"step {self.progress.step + 1} is not taken: {broken}; lower learning_rate, or the scale of rewards"
        for recorder in self.recorders:
            recorder.tell(self.progress, message)

    def take_profile(self) -> Profile:
        """Return the time and tokens since the last call, of all that the run does."""
        profile = self.update_state.profile.take()
        for each in (self.source.engine.profile, self.pool.profile):
            profile.add(each.take())
        profile.tokens = sum(self.ranks.gather(profile.tokens), Counter())
        return profile

    def record(self, groups: Sequence[Group], examples: Sequence[Example], metrics: dict[str, float]) -> None:
        """Count the step, give its metrics to the recorders, and evaluate and save when it is time.

        Without attempts, the rows that were learnt are counted in their place, so that every budget ends every method.
        """
        rollout = rollout_metrics(groups)
        if self.scorer.extra_attempts:
            metrics["hindsight/extra_attempts"] = float(self.scorer.extra_attempts)
        self.progress.step += 1
        attempts, tokens = sum(len(group.trajectories) for group in groups), int(rollout.get("num_tokens", 0))
        if self.num_generations == 0:
            attempts, tokens = max(len(groups), len(examples)), max(1, sum(each.num_decisions for each in examples))
        self.progress.attempts += attempts + self.scorer.extra_attempts
        self.progress.tokens += tokens
        metrics = {**rollout, **metrics}
        finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
        traces = self.tracer.end()
        for recorder in self.recorders:
            recorder.record(self.progress, finite, groups, traces)
            if broken := ", ".join(sorted(metrics.keys() - finite.keys())):
                recorder.tell(self.progress, f"not finite in step {self.progress.step}, and left out: {broken}")
        if self.evaluate and self.config.eval_steps and self.progress.step % self.config.eval_steps == 0:
            with nullcontext() if self.ahead is None else self.ahead.paused():
                score = self.evaluate(self.progress)
            self.progress.scores.append(score)
            self.consider(score)
        if self.config.save_steps and self.progress.step % self.config.save_steps == 0:
            self.save()

    def consider(self, score: float) -> None:
        """Keep the present policy if it is the best so far, and the run is to keep that."""
        if self.best is not None:
            self.best.consider(self.progress, score)

    def save(self) -> None:
        """Write a checkpoint, if the run has a folder for them, after the records of its steps."""
        for recorder in self.recorders:
            recorder.flush()
        if self.checkpoint_folder is not None:
            self.checkpointer.save(self.checkpoint_folder, self.progress, self.config.save_total_limit)

    def resume(self, checkpoint: Path) -> None:
        """Take over optimizer and counts from a checkpoint whose weights the policy already has."""
        self.progress = self.checkpointer.load(checkpoint)

    def _stop_after_this_step(self) -> None:
        self.progress.is_interrupted = True


def _punishing(feedback: FeedbackSource, config: TrainingConfig) -> FeedbackSource:
    """Return the source of feedback on attempts to learn from, which punishes long ones if that is set."""
    if config.overlong_buffer == 0:
        return feedback
    return OverlongPunishment(feedback, config.max_completion_length, config.overlong_buffer)
