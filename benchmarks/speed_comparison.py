"""One workload of the speed benchmark, with both libraries in turn, and the figures that come of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean, median

from results_file import Figure
from speed_children import Job, Measurement, measure, run_child
from speed_limit import Arithmetic, arithmetic
from speed_picture import SPEED
from speed_workloads import Workload

SAME_WORK = 0.1
"""By how much the tokens of a step, and the share of groups that teach nothing, may differ between the libraries."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    pairs: int
    steps: int
    warm_up: int
    """Steps at the start of each process that do not count."""
    device: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What both libraries took for one workload, pair by pair, and how fast the machine multiplies."""

    workload: Workload
    plan: Plan
    own: list[Measurement]
    trl: list[Measurement]
    rates: dict[str, float]

    def step(self, measurement: Measurement) -> float:
        """Seconds of a step once it is warm."""
        return median(measurement.step_times[self.plan.warm_up :])

    def ratios(self, ratio: Callable[[Measurement, Measurement], float]) -> list[float]:
        """Of backsight's and TRL's measurement in each pair."""
        return [ratio(own, trl) for own, trl in zip(self.own, self.trl, strict=True)]

    @property
    def arithmetic(self) -> Arithmetic:
        return arithmetic(self.workload, fmean(each.tokens for each in self.own))

    @property
    def speed(self) -> Figure:
        values = self.ratios(lambda own, trl: self.step(trl) / self.step(own))
        return self._ratio(SPEED, values, "times TRL's", ">=", self.workload.speed_aim)

    @property
    def memory(self) -> Figure:
        values = self.ratios(lambda own, trl: own.peak_gib / trl.peak_gib)
        return self._ratio(": peak memory", values, "of TRL's", "<=", self.workload.memory_aim)

    @property
    def share_of_limit(self) -> Figure:
        limit = self.arithmetic.seconds(self.rates)
        return self._spread("share of the limit", [limit / self.step(own) for own in self.own], "of 1")

    @property
    def same_work(self) -> Figure:
        """The larger of two differences: in tokens, and in the share of groups that teach nothing."""
        tokens = fmean(each.tokens for each in self.own) / fmean(each.tokens for each in self.trl)
        silent = fmean(self.ratios(lambda own, trl: own.without_signal - trl.without_signal))
        difference = max(abs(tokens - 1), abs(silent))
        row = f"{self.workload.name}: difference in work"
        return Figure(row, difference, None, "of 1", f"<= {SAME_WORK}", difference <= SAME_WORK)

    @property
    def profile(self) -> dict[str, float]:
        """Median seconds of backsight's step by what they went to."""
        return {part: median(own.profile[part] for own in self.own) for part in self.own[0].profile}

    def figures(self) -> list[Figure]:
        """All of it, the two that have aims first."""
        by_library = {"backsight": self.own, "TRL": self.trl}
        added = self.ratios(lambda own, trl: own.added_gib / trl.added_gib)
        figures = [
            self.speed,
            self.memory,
            self._spread("peak memory above the imported code's", added, "of TRL's"),
            self.same_work,
            self.share_of_limit,
        ]
        for library, done in by_library.items():
            figures += [
                self._spread(f"step, {library}", [self.step(each) for each in done], "seconds"),
                self._spread(f"tokens of a step, {library}", [each.tokens for each in done], "tokens"),
                self._spread(f"peak memory, {library}", [each.peak_gib for each in done], "GiB"),
                self._spread(f"start, {library}", [each.startup for each in done], "seconds to the first step"),
            ]
        if self.plan.device != "cpu":
            operations = self.arithmetic.total / 1e12
            achieved = [operations / self.step(own) for own in self.own]
            figures.append(self._spread("arithmetic, backsight", achieved, "TFLOP/s"))
        for name, rate in self.rates.items():
            figures.append(Figure(f"{self.workload.name}: matrix products, {name}", rate / 1e9, None, "GFLOP/s"))
        for part, seconds in self.profile.items():
            figures.append(Figure(f"{self.workload.name}: time of {part}", seconds, None, "seconds of a step"))
        return figures

    def _spread(self, name: str, values: list[float], unit: str) -> Figure:
        """The median of the pairs, with the lowest and the highest."""
        return Figure(f"{self.workload.name}: {name}", median(values), (min(values), max(values)), unit)

    def _ratio(self, name: str, values: list[float], unit: str, sign: str, aim: float) -> Figure:
        middle = median(values)
        holds = middle >= aim if sign == ">=" else middle <= aim
        return Figure(f"{self.workload.name}{name}", middle, (min(values), max(values)), unit, f"{sign} {aim}", holds)


def compare(workload: Workload, plan: Plan) -> Comparison:
    """Build the model, then run both libraries in turn, each in a fresh process.

    Raises:
        ChildFailed: one of the processes did not end well.
    """
    own, trl = [], []
    with tempfile.TemporaryDirectory() as folder:
        run_child("speed_model.py", Job(workload, folder, plan.steps))
        for seed in range(plan.pairs):
            job = Job(workload, folder, plan.steps, plan.device, seed)
            own.append(measure("speed_backsight.py", job))
            trl.append(measure("speed_trl.py", job))
        rates = run_child("speed_limit.py", Job(workload, folder, plan.steps, plan.device))
    return Comparison(workload, plan, own, trl, rates)
