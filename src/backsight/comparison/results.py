"""The results of a comparison, summarised from the records of its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from backsight.comparison.request import Request
from backsight.evaluation.across_seeds import Curve, SeedScores, band, compare_over_seeds, seed_scores
from backsight.evaluation.paired import Comparison
from backsight.runs.evaluate import GENERAL_TEXT, ItemScores

RunRecord = Mapping[str, Any]
"""The record of a finished run: method, seed, stop_reason, cost, curve, scores. It lies beside the run folder."""


@dataclass(frozen=True, slots=True)
class MethodResult:
    """Results of one method over all seeds; of a method that failed, only the failure."""

    failure: str | None = None
    cost: Mapping[str, float] = field(default_factory=dict)
    """Steps, attempts, gold_answers, tokens and seconds of training, each a mean over seeds."""
    scores: Mapping[str, Mapping[str, SeedScores]] = field(default_factory=dict)
    """Scores by split and name."""
    against_control: Mapping[str, Mapping[str, Comparison]] = field(default_factory=dict)
    """Comparisons with the control by split and name, over seeds and items. Empty for the control."""
    curves: Mapping[str, Curve] = field(default_factory=dict)
    """Learning curves of the reward, by split."""


@dataclass(frozen=True, slots=True)
class ComparisonResult:
    """Results of a comparison."""

    folder: Path
    """Folder of the comparison, with `report.html`, `report.md`, `results.json` and the run folders in `runs/`."""
    preset: str
    policy: str
    budget: Mapping[str, float]
    """The stop conditions that all methods shared."""
    unit: str
    """Unit in which the curves count what was used: attempts, tokens, seconds or steps."""
    seeds: Sequence[int]
    control: str
    splits: Sequence[str]
    """Names of the splits; the first is in domain."""
    before: Mapping[str, Mapping[str, SeedScores]] = field(default_factory=dict)
    """Scores of the policy before training, by split and name."""
    methods: Mapping[str, MethodResult] = field(default_factory=dict)
    interrupted: bool = False
    """Whether the comparison was interrupted. It has no results then; the same call with the same name continues it."""

    def as_dict(self) -> dict[str, Any]:
        """Return the results in plain values, as for JSON."""
        return {name: each for name, each in asdict(self).items() if name not in ("folder", "interrupted")}


def summarize(
    request: Request,
    folder: Path,
    before: ItemScores,
    runs: Mapping[str, Sequence[RunRecord]],
    failures: Mapping[str, str],
) -> ComparisonResult:
    """Summarise the finished runs by method. Of a method among `failures`, only the failure is kept."""
    control = [each["scores"] for each in runs.get(request.control, [])]
    methods = {}
    for name in request.methods:
        if name in failures:
            methods[name] = MethodResult(failures[name])
            continue
        own = [each["scores"] for each in runs[name]]
        methods[name] = MethodResult(
            cost={key: fmean(each["cost"][key] for each in runs[name]) for key in runs[name][0]["cost"]},
            scores=_scores(own),
            against_control=_against(control, own) if control and name != request.control else {},
            curves=_curves([each["curve"] for each in runs[name]], request.unit),
        )
    return _describe(request, folder, before=_scores([before]), methods=methods)


def summarize_interrupted(request: Request, folder: Path) -> ComparisonResult:
    """Return the result of a comparison that was interrupted, which has no scores yet."""
    return _describe(request, folder, interrupted=True)


def _describe(request: Request, folder: Path, **found: Any) -> ComparisonResult:
    config = request.shared
    task = next(iter(request.tasks.values()))
    return ComparisonResult(
        folder=folder,
        preset=config.preset,
        policy=config.policy,
        budget=config.stop.model_dump(exclude_none=True),
        unit=request.unit,
        seeds=list(range(config.seed, config.seed + request.seeds)),
        control=request.control,
        splits=[*task.eval_splits, *([] if request.general_text is None else [GENERAL_TEXT])],
        **found,
    )


def _over_seeds(runs: Sequence[ItemScores]) -> dict[str, dict[str, list[Sequence[float | None]]]]:
    """Return the items' scores of each seed, by split and name."""
    return {
        split: {name: [own[split][name] for own in runs] for name in named if all(name in own[split] for own in runs)}
        for split, named in runs[0].items()
    }


def _scores(runs: Sequence[ItemScores]) -> dict[str, dict[str, SeedScores]]:
    found = {
        split: {name: seed_scores(each) for name, each in named.items()} for split, named in _over_seeds(runs).items()
    }
    return {split: {name: each for name, each in named.items() if each} for split, named in found.items()}


def _against(control: Sequence[ItemScores], own: Sequence[ItemScores]) -> dict[str, dict[str, Comparison]]:
    baseline = _over_seeds(control)
    found = {
        split: {
            name: compare_over_seeds(baseline[split][name], each)
            for name, each in named.items()
            if name in baseline[split]
        }
        for split, named in _over_seeds(own).items()
    }
    return {split: {name: each for name, each in named.items() if each} for split, named in found.items()}


def _curves(runs: Sequence[Sequence[Mapping[str, Any]]], unit: str) -> dict[str, Curve]:
    """Return the learning curves by split, joined from the points of each seed."""
    return {
        split: band([[(point[unit], point["rewards"][split]) for point in points] for points in runs])
        for split in runs[0][0]["rewards"]
    }
