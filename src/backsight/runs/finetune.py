"""Fine-tuning of a language model: evaluate, train, evaluate again and save, all of it recorded in a run folder."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from backsight.cluster.options import check_not_placed
from backsight.config import RunConfig, dump_config
from backsight.disk import clean, disk_errors, whole_folder
from backsight.distributed.ranks import Ranks, connect, naming_lost_ranks
from backsight.errors import ConfigError, DivergedError, RunFolderError
from backsight.evaluation.evaluator import Evaluation, Scores
from backsight.evaluation.likelihood import compare_likelihoods, has_both_kinds, turn_log_probs
from backsight.feedback.arguments import at_step
from backsight.feedback.asking import ask, patience
from backsight.interfaces import FeedbackSource
from backsight.policies import adapters
from backsight.policies.text import TextPolicy
from backsight.presets.base import TaskChoice, configure, make_task
from backsight.reports.lock import only_writer
from backsight.reports.model_card import CARD, render
from backsight.reports.progress import TrainingProgress
from backsight.reports.run_folder import ENGINE, Recorder, RunReader
from backsight.rollouts.base import keep_files
from backsight.runs.card import DIVERGED, make_card
from backsight.runs.fitting import why_not, with_way_out
from backsight.runs.log import RunLog, Unheard
from backsight.runs.origin import find_changes, find_origin
from backsight.runs.start import PolicyChoice, RewardFuncs, RunParts, begin, can_be_scored, choose_policy, open_model
from backsight.training.best import Kept
from backsight.training.checkpoints import find_checkpoint, keep_newest, load_progress
from backsight.training.progress import INTERRUPTED, Progress, stop_reason
from backsight.training.trainer import EpisodeSource, Trainer

LIKELIHOOD = "recorded turns"
"""Name among the splits for the recorded turns of a log. The reward is the share of pairs of a rewarded and an
unrewarded turn in which the rewarded one has gained more; named rewards are the mean log-probability per token of each
kind."""

STOPPED = "stopped: "
"""Beginning of the message that a run ends with, when all is done."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a run."""

    policy: TextPolicy
    folder: Path
    """The run folder; the trained policy lies in its `policy/`."""
    stop_reason: str
    progress: Progress
    before: Evaluation = field(default_factory=dict)
    """Scores by split before training; empty when the run was resumed."""
    after: Evaluation = field(default_factory=dict)
    """Scores by split of the policy that was saved; empty when the run was interrupted or had been finished."""
    notes: tuple[str, ...] = ()
    """What was noticed when the run was resumed: damaged checkpoints, and what has changed since."""
    kept: Kept | None = None
    """With `keep_best`, which policy was saved, and both scores; None when the run was interrupted or had been
    finished."""

    @property
    def interrupted(self) -> bool:
        return self.progress.is_interrupted


def finetune(
    policy: PolicyChoice,
    task: TaskChoice,
    *,
    reward_funcs: RewardFuncs | None = None,
    feedback: FeedbackSource | None = None,
    show_progress: bool = True,
    **settings: Any,
) -> Result:
    """Fine-tune a language model on a task; the settings are those of `RunConfig`, by name.

    `policy` is the name of a model, a model folder, a hub id or a loaded policy. `task` is the name of a preset, a
    `Task`, or rows with a column `prompt` (a list of dictionaries, a `datasets.Dataset`, a frame of pandas or polars),
    which become a `RowsTask`. With an adapter, a loaded policy has the adapter afterwards; with adapter.merge, the
    merged weights. `reward_funcs`, written for TRL, replace the task's own judge, and so does `feedback`: a judge
    model, or several sources together (`backsight.feedback`).

        backsight.finetune("path/to/model", task, hindsight="relabel", stop={"max_seconds": 60})

    Raises:
        BacksightError: when a setting, the data, the model or a reward function does not fit.
    """
    policy, settings["policy"] = choose_policy(policy)
    config, build_task = configure(task, settings)
    check_not_placed(config.cluster, "backsight.finetune")
    if not isinstance(policy, str) and config.adapter is not None and not config.adapter.is_left_open:
        adapters.put_on(policy.model, config.adapter)
    parts = begin(config, build_task(config), policy, reward_funcs=reward_funcs, feedback=feedback)
    return train(parts, show_progress=show_progress)


def train(parts: RunParts, *, checkpoint: Path | None = None, show_progress: bool = True) -> Result:
    """Train the policy of a run, from the beginning, or from the checkpoint that the policy was opened from.

    Raises:
        RunFolderError: when the run folder is taken, or another process writes to it.
    """
    config, ranks = parts.config, parts.ranks
    if checkpoint is not None:
        folder = checkpoint.parent.parent
        with _one_writer(folder, ranks):
            _, damaged = ranks.first(lambda: find_checkpoint(checkpoint.parent))
            return _go_on(parts, folder, checkpoint, damaged, show_progress)

    def create() -> Path:
        names = (config.run_name, config.default_run_name)
        return Recorder.create(Path(config.output_dir), *names, dump_config(config)).folder

    with naming_lost_ranks():
        folder = ranks.first(create)
    with _one_writer(folder, ranks):
        return _Training(parts, Recorder(folder), show_progress, Start(find_origin(config, parts.task))).run()


def resume(config: RunConfig, folder: Path, *, show_progress: bool = True) -> Result:
    """Resume a run from its newest whole checkpoint; a run that was ended before its first one starts anew.

    A run that is finished stays as it is, and `stop_reason` says so.

    Raises:
        BacksightError: when the folder holds no run, another process writes to it, a setting was changed, or all
            checkpoints are damaged.
    """
    reader, ranks = RunReader(folder), connect()

    def find() -> tuple[Path | None, list[str]]:
        with disk_errors(reader.checkpoints, "mend its rights"):
            clean(reader.checkpoints)
        return find_checkpoint(reader.checkpoints)

    with _one_writer(folder, ranks):
        checkpoint, notes = ranks.first(find)
        if checkpoint is None and notes:
            raise RunFolderError("resume", folder, f"{notes[0]}; delete it, and the run starts anew")
        if checkpoint is not None and (finished := _finished(reader, checkpoint, config)) is not None:
            return finished
        parts = begin(config, make_task(config), None if checkpoint is None else str(checkpoint))
        return _go_on(parts, folder, checkpoint, notes, show_progress)


@contextmanager
def _one_writer(folder: Path, ranks: Ranks) -> Iterator[None]:
    """Keep the folder, inside the block, for the first of these ranks alone to write to."""
    with naming_lost_ranks(), only_writer(folder) if ranks.is_first else nullcontext():
        yield


def _finished(reader: RunReader, checkpoint: Path, config: RunConfig) -> Result | None:
    """Return the result of a run that there is nothing left to do for; None when there is."""
    progress = load_progress(checkpoint)
    reason = stop_reason(config.stop, progress)
    ends = [row["step"] for row in reader.messages() if row["message"].startswith(STOPPED)]
    if reason is None or progress.step not in ends or not reader.policy.is_dir():
        return None
    policy = open_model(str(reader.folder), config, make_task(config))
    reason = f"{reason}; the run is finished already: to go on, raise what ended it (stop.*)"
    return Result(policy, reader.folder, reason, progress)


def _go_on(
    parts: RunParts, folder: Path, checkpoint: Path | None, damaged: Sequence[str], show_progress: bool
) -> Result:
    start, step = Start(find_origin(parts.config, parts.task)), -1
    if checkpoint is not None:
        progress = load_progress(checkpoint)
        changed = find_changes(progress.origin, start.origin)
        notes = [f"{each}; the run goes on from {checkpoint.name}" for each in damaged]
        notes += [f"changed since {checkpoint.name} was saved: {', '.join(changed)}"] if changed else []
        step = progress.step
        start = replace(start, checkpoint=checkpoint, step=step, notes=tuple(notes))

    def reopen() -> Path:
        if checkpoint is not None:
            keep_newest(checkpoint, parts.config.save_total_limit)
        return Recorder.reopen(folder, step, dump_config(parts.config)).folder

    return _Training(parts, Recorder(parts.ranks.first(reopen)), show_progress, start).run()


def make_trainer(parts: RunParts, **what: Any) -> Trainer:
    """Make the trainer of a run; `what` are the keyword arguments of `Trainer` that concern more than its steps."""
    config = parts.config
    actor, sampler = None, parts.engine
    if config.max_staleness:  # the weights that sample are not to change with the learner's
        actor = copy.deepcopy(parts.policy)
        if "act as" in sampler.capabilities:  # it acts with the weights of this process, and a server with its own
            sampler = config.engine.build(actor)
    items = parts.task.items(parts.task.train_split)
    source = EpisodeSource(sampler, parts.environments, items, parts.feedback, actor)
    return Trainer(parts.policy, source, config.hindsight.build(), config, ranks=parts.ranks, **what)


@dataclass(frozen=True, slots=True)
class Start:
    """What a run starts from."""

    origin: dict[str, str]
    """Checksums of what the run is made of now."""
    checkpoint: Path | None = None
    """The checkpoint that it goes on from; None for a run from the beginning."""
    step: int = 0
    """The step of that checkpoint."""
    notes: tuple[str, ...] = ()
    """What the user has to know about that."""


class _Training:
    """The steps of a run around the trainer, and what they share."""

    def __init__(self, parts: RunParts, recorder: Recorder, show_progress: bool, start: Start) -> None:
        self.parts, self.config, self.policy, self.ranks = parts, parts.config, parts.policy, parts.ranks
        self.recorder, self.show_progress, self.start = recorder, show_progress, start
        keep_files(parts.engine, recorder.folder / ENGINE)
        self.turns = ask(f"task '{parts.task.name}', recorded_turns", "mend the task", parts.task.recorded_turns)
        self.base_log_probs: list[float] | None = None
        """Log-probabilities of a log's recorded turns before training; None if there are not two kinds to compare, and
        in a resumed run."""

    def run(self) -> Result:
        """Evaluate, train, evaluate again, and save the policy."""
        before: Evaluation = {}
        after: Evaluation = {}
        kept: Kept | None = None
        progress = TrainingProgress(self.config.hindsight.label, is_shown=self.show_progress and self.ranks.is_first)
        with self._known_to_others(step=0), progress as bar:
            log = self.log = (
                RunLog(self.recorder, bar, self.config, self.start.step) if self.ranks.is_first else Unheard()
            )
            trainer = make_trainer(
                self.parts,
                recorders=[log],
                evaluate=self._score if can_be_scored(self.parts.task, self.turns) else None,
                checkpoint_folder=self.recorder.checkpoints,
            )
            self._put_at_start(trainer, log)
            try:
                if self.start.checkpoint is None:
                    before = self._evaluate(step=0)
                    if trainer.best is not None:
                        trainer.consider(_score_of(before))
                reason = trainer.train()
                try:
                    if not trainer.progress.is_interrupted:
                        after, kept = self._choose(trainer, self._evaluate(trainer.progress.step))
                finally:  # whatever the evaluation meets, what was trained is not lost
                    self._save_policy(trainer, reason)
                if kept is not None:
                    log.tell(trainer.progress, kept.message)
                if not trainer.progress.is_interrupted:
                    log.note(trainer.progress.step, f"{STOPPED}{reason}")
                self.ranks.wait()
            except DivergedError as error:
                self._save_policy(trainer, f"{DIVERGED}: {error.value}")
                raise
            except ConfigError as error:
                raise with_way_out(error, self.config, self.policy) from error
            except KeyboardInterrupt:
                if trainer.progress.is_interrupted:  # for the second time: whoever asks wants no more of it
                    raise
                trainer.progress.is_interrupted, reason = True, INTERRUPTED
            finally:
                log.close()
        return Result(
            self.policy, self.recorder.folder, reason, trainer.progress, before, after, self.start.notes, kept
        )

    def _put_at_start(self, trainer: Trainer, log: RunLog | Unheard) -> None:
        if self.start.checkpoint is not None:
            trainer.resume(self.start.checkpoint)
        elif self.turns and has_both_kinds(self.turns):
            trainer.progress.base_log_probs = self.ranks.share(self.turns, partial(turn_log_probs, self.policy))
        self.base_log_probs = trainer.progress.base_log_probs
        trainer.progress.origin = self.start.origin
        for message in self.start.notes if self.start.checkpoint is not None else self.parts.messages:
            log.tell(trainer.progress, message)
        if self.ranks.size == 1 and (doubt := why_not(self.config, self.policy)) is not None:
            log.tell(trainer.progress, doubt)

    def _choose(self, trainer: Trainer, last: Evaluation) -> tuple[Evaluation, Kept | None]:
        """Set the policy to the best one, if the run keeps that, and return its scores, and which one it is."""
        if trainer.best is None:
            return last, None
        trainer.consider(_score_of(last))
        trainer.best.restore()
        progress, split = trainer.progress, next(iter(last))
        assert progress.best_score is not None
        kept = Kept(split, progress.best_step, progress.best_score, progress.step, _score_of(last))
        return (last if kept.step == kept.last_step else self._evaluate(kept.step)), kept

    def _save_policy(self, trainer: Trainer, ending: str) -> None:
        if trainer.best is not None:
            trainer.best.restore()
        if self.config.adapter is not None and self.config.adapter.merge:
            adapters.merge(self.policy.model)
        if not self.ranks.is_first:
            return
        self.recorder.sync()
        with whole_folder(
            self.recorder.policy, "make room and resume the run: its last step is in a checkpoint"
        ) as place:
            self.policy.save(place)
            card = make_card(self.parts, self.recorder, trainer.progress, ending)
            (place / CARD).write_text(render(card), encoding="utf-8")

    @contextmanager
    def _known_to_others(self, step: int) -> Iterator[None]:
        """Let foreign code inside the block know how much time it has, and how far the run is."""
        with patience(self.config.reward_timeout), at_step(step, self.config.stop.max_steps or 0):
            yield

    def _evaluate(self, step: int) -> Evaluation:
        """Evaluate the policy on the first rank; the others get its scores without the attempts."""
        evaluation = self._measure(step) if self.ranks.is_first else {}
        scores = self.ranks.agree({split: replace(each, trajectories=()) for split, each in evaluation.items()})
        return evaluation or scores

    def _measure(self, step: int) -> Evaluation:
        with self._known_to_others(step):
            evaluation = self.parts.evaluate()
        if self.base_log_probs is not None:
            evaluation = {**evaluation, LIKELIHOOD: self._likelihood(self.base_log_probs)}
        self.log.add_evaluation(step, evaluation)
        return evaluation

    def _likelihood(self, base_log_probs: Sequence[float]) -> Scores:
        """Measure whether the policy has moved towards recorded turns that were rewarded, and away from the others."""
        seen = compare_likelihoods(self.turns, turn_log_probs(self.policy, self.turns), base_log_probs)
        return Scores(seen.accuracy, {"rewarded": seen.rewarded, "unrewarded": seen.unrewarded}, ())

    def _score(self, progress: Progress) -> float:
        """Evaluate, and return what stop conditions look at: the mean reward on the first evaluation split."""
        return _score_of(self._evaluate(progress.step))


def _score_of(evaluation: Evaluation) -> float:
    """Return the mean reward on the first evaluation split."""
    return next(iter(evaluation.values())).reward.mean
