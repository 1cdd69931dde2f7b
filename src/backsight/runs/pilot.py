"""Forecasts from a pilot run: its evaluations and what its attempts taught, read from its run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backsight.config import RunConfig, read_config
from backsight.errors import DataError
from backsight.evaluation.statistics import Z
from backsight.planning.pilot import (
    MOST_REUSE,
    Forecast,
    LearningCurve,
    Pilot,
    cumulated,
    loss_exponent,
    prompts_worth_having,
    teaching_share,
)
from backsight.reports.run_folder import RunReader

REACH = (1.5, 2.0, 4.0, 8.0)
"""Multiples of the pilot's attempts that are forecast."""
GROUP_SIZES = (4, 8, 16, 32)
NEWEST_SHARE = 0.25
"""Share of the pilot's steps by which future attempts are taken to teach."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a pilot says of a longer run."""

    split: str
    pilot: Pilot
    curve: LearningCurve
    group_size: int
    success: float | None
    """Share of the newest attempts that succeeded; None where nobody says."""

    @property
    def forecasts(self) -> list[Forecast]:
        return [self.curve.forecast(reach * self.pilot.attempts[-1]) for reach in REACH]

    def lines(self) -> list[str]:
        """Return the outlook in sentences."""
        pilot, scores = self.pilot, self.pilot.scores
        taught = pilot.taught[-1] / pilot.attempts[-1]
        lines = [
            f"pilot: {pilot.attempts[-1]:,.0f} attempts, of which {taught:.0%} taught something; "
            f"{self.split} went from {scores[0]:.3f} to {scores[-1]:.3f} in {len(scores)} evaluations"
        ]
        lines += self._past_bend() if self.curve.is_past_bend else self._before_bend()
        if self.success is not None:
            shares = ", ".join(f"{size}: {teaching_share(self.success, size):.0%}" for size in GROUP_SIZES)
            lines.append(
                f"{self.success:.0%} of the newest attempts succeed: share of groups in which some do and some do not, "
                f"by num_generations: {shares}"
            )
        return lines

    def _past_bend(self) -> list[str]:
        low, middle, high = self.curve.highest
        enough, most = self.curve.attempts_worth_having()
        fewest, all_once = prompts_worth_having(enough, self.group_size)
        return [
            f"the curve has bent; it approaches {middle:.3f} ({low:.3f}–{high:.3f})",
            f"nine tenths of what can be learnt take {enough:,.0f} attempts, {most:,.0f} at most; "
            f"{fewest:,} prompts used {MOST_REUSE} times each teach nearly as much as {all_once:,} used once",
        ]

    def _before_bend(self) -> list[str]:
        bent, needed = self.curve.share_past_bend, self.curve.attempts_needed
        lines = [
            f"no point forecast: only {bent:.0%} of the curves that fit have bent within the pilot; "
            f"a pilot of about {needed:,.0f} attempts would say more"
        ]
        if (power := loss_exponent(self.pilot)) is not None and power > 0:
            lines.append(f"so far, twice the data multiplies what is missing by {2**-power:.2f}")
        return lines

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "split": self.split,
            "attempts": list(self.pilot.attempts),
            "taught": list(self.pilot.taught),
            "scores": list(self.pilot.scores),
            "is_past_bend": self.curve.is_past_bend,
            "highest": list(self.curve.highest),
            "attempts_needed": self.curve.attempts_needed,
            "forecasts": [
                {"attempts": each.attempts, "score": each.score, "low": each.low, "high": each.high}
                for each in self.forecasts
            ],
        }


def look_ahead(run: Path) -> Outlook:
    """Forecast how a finished pilot run would go on.

    Raises:
        RunFolderError: when it is no run folder, or a line in it is damaged.
        DataError: when it has too few evaluations, or taught nothing.
    """
    reader = RunReader(run)
    config = read_config(reader.config)
    evaluations, metrics = reader.evaluations(), reader.metrics()
    if not evaluations:
        raise DataError("pilot", run, "has no evaluations; make it again with eval_steps=1 or more")
    split = evaluations[0]["split"]
    own = [row for row in evaluations if row["split"] == split]
    pilot = pilot_of(own, metrics, config)
    return Outlook(split, pilot, LearningCurve(pilot), config.num_generations, _success(metrics))


def pilot_of(
    evaluations: Sequence[Mapping[str, Any]], metrics: Sequence[Mapping[str, Any]], config: RunConfig
) -> Pilot:
    """Return the pilot of a run with these evaluations of one split, which may be only the first of them."""
    last = max(row["step"] for row in evaluations)
    a_step = float(config.prompts_per_step * max(1, config.num_generations))
    by_step = {row["step"]: _share_that_taught(row) for row in metrics if row["step"] <= last}
    shares = [by_step.get(step, _nearest(by_step, step)) for step in range(1, last + 1)]
    taught = cumulated(shares, a_step)
    rows = [row["scores"]["reward"] for row in evaluations]
    scores = tuple(float(row["mean"]) for row in rows)
    newest = shares[-max(1, round(NEWEST_SHARE * len(shares))) :]
    return Pilot(
        attempts=tuple(row["step"] * a_step for row in evaluations),
        taught=tuple(taught[row["step"]] for row in evaluations),
        scores=scores,
        errors=tuple((float(row["high"]) - float(row["low"])) / (2 * Z) for row in rows),
        future_share=max(1e-3, sum(newest) / max(1, len(newest))),
        highest=1.0 if max(scores) <= 1 else 1.5 * max(scores),
    )


def _share_that_taught(row: Mapping[str, Any]) -> float:
    """Return the share of a step's rows that taught something; by the groups' rewards in runs that do not say."""
    if "frac_examples_with_signal" in row:
        return float(row["frac_examples_with_signal"])
    return 1.0 - float(row.get("frac_reward_zero_std", 0.0))


def _nearest(known: Mapping[int, float], step: int) -> float:
    """Return the value of the nearest step that was logged; 1 where none was."""
    return known[min(known, key=lambda each: abs(each - step))] if known else 1.0


def _success(metrics: Sequence[Mapping[str, Any]]) -> float | None:
    newest = [
        float(row["success"]) for row in metrics[-max(1, round(NEWEST_SHARE * len(metrics))) :] if "success" in row
    ]
    return sum(newest) / len(newest) if newest else None
