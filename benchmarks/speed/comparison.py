"""One workload of the speed benchmark, with both libraries in turn, and the figures that come of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean, median

from benchmarks.shared.results import Figure
from benchmarks.speed.children import Job, Measurement, measure, run_job
from benchmarks.speed.limit import Operations, count_operations
from benchmarks.speed.picture import SPEED
from benchmarks.speed.workloads import Workload

SAME_WORK = 0.1
"""By how much the tokens of a step, and the share of groups that teach nothing, may differ between the libraries."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    pairs: int
    steps: int
    warm_up: int
    """Number of steps at the start of each process that do not count."""
    device: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What both libraries took for one workload, pair by pair, and how fast the machine multiplies."""

    workload: Workload
    plan: Plan
    own: list[Measurement]
    trl: list[Measurement]
    rates: dict[str, float]

    def measure_step(self, measurement: Measurement) -> float:
        """Return the seconds of a step once it is warm."""
        return median(measurement.step_times[self.plan.warm_up :])

    def compare_pairs(self, ratio: Callable[[Measurement, Measurement], float]) -> list[float]:
        """Return the ratio of backsight's and TRL's measurement in each pair."""
        return [ratio(own, trl) for own, trl in zip(self.own, self.trl, strict=True)]

    @property
    def operations(self) -> Operations:
        return count_operations(self.workload, fmean(each.tokens for each in self.own))

    @property
    def speed(self) -> Figure:
        values = self.compare_pairs(lambda own, trl: self.measure_step(trl) / self.measure_step(own))
        row = f"{self.workload.name}{SPEED}"
        return Figure.of_repeats(row, values, "times TRL's").hold_against(">=", self.workload.speed_aim)

    @property
    def memory(self) -> Figure:
        values = self.compare_pairs(lambda own, trl: own.peak_gib / trl.peak_gib)
        return self._make_figure("peak memory", values, "of TRL's").hold_against("<=", self.workload.memory_aim)

    @property
    def share_of_limit(self) -> Figure:
        limit = self.operations.least_seconds(self.rates)
        return self._make_figure("share of the limit", [limit / self.measure_step(own) for own in self.own], "of 1")

    @property
    def same_work(self) -> Figure:
        """The larger of two differences: in tokens, and in the share of groups that teach nothing."""
        tokens = fmean(each.tokens for each in self.own) / fmean(each.tokens for each in self.trl)
        silent = fmean(self.compare_pairs(lambda own, trl: own.without_signal - trl.without_signal))
        difference = Figure(
            f"{self.workload.name}: difference in work", max(abs(tokens - 1), abs(silent)), None, "of 1"
        )
        return difference.hold_against("<=", SAME_WORK)

    @property
    def profile(self) -> dict[str, float]:
        """Median seconds of backsight's step by what they went to."""
        return {part: median(own.profile[part] for own in self.own) for part in self.own[0].profile}

    @property
    def shares_of_phases(self) -> list[Figure]:
        """The shares of the limit that decoding and the update reach, each for itself."""
        spent, work = self.profile, self.operations
        updating = sum(spent.get(part, 0.0) for part in ("forward", "backward", "optimizer"))
        parts = {
            "decoding": work.decode / self.rates["decode"] / spent["decode"],
            "the update": work.learn / self.rates["learn"] / updating,
        }
        return [
            Figure(f"{self.workload.name}: share of the limit in {part}", share, None, "of 1")
            for part, share in parts.items()
        ]

    def make_figures(self) -> list[Figure]:
        """Return all figures, the two that have aims first."""
        added = self.compare_pairs(lambda own, trl: own.added_gib / trl.added_gib)
        figures = [
            self.speed,
            self.memory,
            self._make_figure("peak memory above the imported code's", added, "of TRL's"),
            self.same_work,
            self.share_of_limit,
            *self.shares_of_phases,
        ]
        for library, done in {"backsight": self.own, "TRL": self.trl}.items():
            figures += [
                self._make_figure(f"step, {library}", [self.measure_step(each) for each in done], "seconds"),
                self._make_figure(f"tokens of a step, {library}", [each.tokens for each in done], "tokens"),
                self._make_figure(f"peak memory, {library}", [each.peak_gib for each in done], "GiB"),
                self._make_figure(f"start, {library}", [each.startup for each in done], "seconds to the first step"),
            ]
        if self.plan.device != "cpu":
            achieved = [self.operations.total / 1e12 / self.measure_step(own) for own in self.own]
            figures.append(self._make_figure("arithmetic, backsight", achieved, "TFLOP/s"))
        for name, rate in self.rates.items():
            figures.append(Figure(f"{self.workload.name}: matrix products, {name}", rate / 1e9, None, "GFLOP/s"))
        for part, seconds in self.profile.items():
            figures.append(Figure(f"{self.workload.name}: time of {part}", seconds, None, "seconds of a step"))
        return figures

    def _make_figure(self, name: str, values: list[float], unit: str) -> Figure:
        return Figure.of_repeats(f"{self.workload.name}: {name}", values, unit)


def compare(workload: Workload, plan: Plan) -> Comparison:
    """Make the model, then run both libraries in turn, each in a fresh process.

    Raises:
        ChildFailed: one of the processes did not end well.
    """
    own, trl = [], []
    with tempfile.TemporaryDirectory() as folder:
        run_job("pretrained" if workload.is_pretrained else "model", Job(workload, folder, plan.steps))
        for seed in range(plan.pairs):
            job = Job(workload, folder, plan.steps, plan.device, seed)
            own.append(measure("backsight", job))
            trl.append(measure("trl", job))
        rates = run_job("limit", Job(workload, folder, plan.steps, plan.device))
    return Comparison(workload, plan, own, trl, rates)
