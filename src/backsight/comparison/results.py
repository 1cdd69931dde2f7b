"""What a comparison has found, from what its runs have left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from backsight.assessment import GENERAL_TEXT
from backsight.comparison.request import Request
from backsight.evaluation.across_seeds import Curve, SeedScores, averaged, banded, seed_scores
from backsight.evaluation.paired import Comparison, compared

ItemScores = Mapping[str, Mapping[str, Sequence[float | None]]]
"""By split, name and item. None: the item has no such score."""
RunRecord = Mapping[str, Any]
"""Of a finished run: method, seed, stop_reason, cost, curve, scores. It lies beside the run folder."""


@dataclass(frozen=True, slots=True)
class MethodResult:
    """What came of one method, over all seeds; nothing but the failure where it failed."""

    failure: str | None = None
    cost: Mapping[str, float] = field(default_factory=dict)
    """steps, attempts, gold_answers, tokens and seconds of training, each a mean over seeds."""
    scores: Mapping[str, Mapping[str, SeedScores]] = field(default_factory=dict)
    """By split and name."""
    against_control: Mapping[str, Mapping[str, Comparison]] = field(default_factory=dict)
    """The same keys; paired over items, each item's score averaged over seeds. Empty for the control."""
    curves: Mapping[str, Curve] = field(default_factory=dict)
    """The reward by split."""


@dataclass(frozen=True, slots=True)
class ComparisonResult:
    """What a comparison has found."""

    folder: Path
    """With `report.html`, `report.md`, `results.json` and the run folders in `runs/`."""
    preset: str
    policy: str
    budget: Mapping[str, float]
    """The stop conditions that all methods shared."""
    unit: str
    """What the curves run over: attempts, tokens, seconds or steps."""
    seeds: Sequence[int]
    control: str
    splits: Sequence[str]
    """The first is in domain."""
    before: Mapping[str, Mapping[str, SeedScores]] = field(default_factory=dict)
    """Of the policy before training."""
    methods: Mapping[str, MethodResult] = field(default_factory=dict)
    interrupted: bool = False
    """Then there are no results yet; the same call with the same name goes on."""

    def as_dict(self) -> dict[str, Any]:
        """Of plain values, as for JSON."""
        return {name: each for name, each in asdict(self).items() if name not in ("folder", "interrupted")}


def summarized(
    request: Request,
    folder: Path,
    before: ItemScores,
    runs: Mapping[str, Sequence[RunRecord]],
    failures: Mapping[str, str],
) -> ComparisonResult:
    """`runs` of all seeds by method; a method stands either there or among `failures`."""
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
    return _described(request, folder, before=_scores([before]), methods=methods)


def unfinished(request: Request, folder: Path) -> ComparisonResult:
    """Of a comparison that was interrupted."""
    return _described(request, folder, interrupted=True)


def _described(request: Request, folder: Path, **found: Any) -> ComparisonResult:
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
    """By split and name: the items' scores of each seed."""
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
            name: compared(averaged(baseline[split][name]), averaged(each))
            for name, each in named.items()
            if name in baseline[split]
        }
        for split, named in _over_seeds(own).items()
    }
    return {split: {name: each for name, each in named.items() if each} for split, named in found.items()}


def _curves(runs: Sequence[Sequence[Mapping[str, Any]]], unit: str) -> dict[str, Curve]:
    """From the points of each seed."""
    return {
        split: banded([[(point[unit], point["rewards"][split]) for point in points] for points in runs])
        for split in runs[0][0]["rewards"]
    }
