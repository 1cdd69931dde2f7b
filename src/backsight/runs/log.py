"""The log of a run: what the trainer reports goes to the run folder, the terminal and the trackers."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict

from backsight.config import RunConfig
from backsight.evaluation.evaluator import Evaluation
from backsight.reports.files import size_text
from backsight.reports.packed_lines import LARGEST_FOLDER
from backsight.reports.progress import TrainingProgress
from backsight.reports.run_folder import Recorder
from backsight.reports.trackers.base import Trackers
from backsight.traces import Trace
from backsight.training.progress import Progress, used_share
from backsight.types import Group


class RunLog:
    """A recorder of all that happens in a run.

    The run folder may lie on a slow disk, and a tracker on another machine: metrics, attempts and traces are written in
    the background, in the order of the steps.
    """

    def __init__(self, recorder: Recorder, bar: TrainingProgress, config: RunConfig, step: int) -> None:
        """Open the trackers of a run that goes on after `step`.

        Raises:
            ConfigError: when a tracker does not start.
        """
        self.recorder, self.bar, self.config = recorder, bar, config
        self.trackers = Trackers(config.report_to, recorder.folder, config.model_dump(mode="json"), step)
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="run folder")
        self._unwritten: list[Future[None]] = []
        self._has_room = self._keeps_traces = self._keeps_answers = True

    def flush(self) -> None:
        while self._unwritten:
            self._unwritten.pop(0).result()
        self.recorder.sync()

    def close(self) -> None:
        """Wait until the trackers have everything."""
        self._writer.shutdown()
        self.trackers.close()

    def tell(self, progress: Progress, message: str) -> None:
        self._say(progress.step, message)

    def record(
        self, progress: Progress, metrics: dict[str, float], groups: Sequence[Group], traces: Sequence[Trace]
    ) -> None:
        while self._unwritten and self._unwritten[0].done():
            self._unwritten.pop(0).result()  # raises the error of a write that failed
        for complaint in self.trackers.take_complaints():
            self.tell(progress, complaint)
        if self._keeps_traces and not self._has_room:
            self._say(progress.step, _full("traces"))
            self._keeps_traces = False
        traces = traces if self._keeps_traces else []
        if progress.step % self.config.logging_steps == 0:
            self._unwritten.append(self._writer.submit(self._write, progress.step, metrics, groups, traces))
        share = used_share(self.config.stop, progress)
        self.bar.update(step=progress.step, attempts=progress.attempts, metrics=metrics, share=share)

    def add_evaluation(self, step: int, evaluation: Evaluation) -> None:
        """Record the scores and the attempts of an evaluation."""
        named = {split: {"reward": scores.reward, **scores.rewards} for split, scores in evaluation.items()}
        for split, scores in named.items():
            self.recorder.add_evaluation(step, split, {name: asdict(each) for name, each in scores.items()})
        if self._keeps_answers and not self.recorder.add_answers(step, evaluation):
            self._say(step, _full("answers"))
            self._keeps_answers = False
        means = {f"eval/{split}/{name}": each.mean for split, own in named.items() for name, each in own.items()}
        self._writer.submit(self.trackers.log, step, means)

    def note(self, step: int, message: str) -> None:
        """Write a message to the run folder alone."""
        self.recorder.add_message(step, message)

    def _say(self, step: int, message: str) -> None:
        self.recorder.add_message(step, message)
        self.bar.tell(message)

    def _write(self, step: int, metrics: dict[str, float], groups: Sequence[Group], traces: Sequence[Trace]) -> None:
        self.recorder.add_metrics(step, metrics)
        self.recorder.add_trajectories(step, groups)
        if traces and not self.recorder.add_traces(step, traces):
            self._has_room = False
        self.trackers.log(step, metrics)
        self.trackers.log_samples(step, groups)


class Unheard:
    """The log of a rank that is not the first: what there is to say, the first one says."""

    def record(
        self, progress: Progress, metrics: dict[str, float], groups: Sequence[Group], traces: Sequence[Trace]
    ) -> None:
        pass

    def tell(self, progress: Progress, message: str) -> None:
        pass

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def add_evaluation(self, step: int, evaluation: Evaluation) -> None:
        pass

    def note(self, step: int, message: str) -> None:
        pass


def _full(what: str) -> str:
    return f"{what}: there are {size_text(LARGEST_FOLDER)} of them, and no more are kept"
