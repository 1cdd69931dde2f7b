"""The report of a comparison: its results as tables and curves, with notes."""

from __future__ import annotations

from collections.abc import Mapping

from backsight.comparison.results import ComparisonResult, MethodResult
from backsight.evaluation.across_seeds import SeedScores
from backsight.evaluation.statistics import LEVEL
from backsight.reports.document import Figure, Report, Table
from backsight.reports.tables import interval_text
from backsight.runs.evaluate import GENERAL_TEXT, LOG_PROBABILITY

REWARD = "reward"
FAILED = "no figures, because"


def make_report(result: ComparisonResult) -> Report:
    """Make the report of a comparison: a table of each split, the cost of a run, and the curves of each split."""
    domains = [split for split in result.splits if split != GENERAL_TEXT]
    tables = [_score_table(result, split, REWARD, _domain(result, split)) for split in domains]
    if GENERAL_TEXT in result.splits:
        title = "Forgetting: log-probability a token of general text"
        tables.append(_score_table(result, GENERAL_TEXT, LOG_PROBABILITY, title))
    figures = [_figure(result, split) for split in domains]
    return Report(
        title=f"Comparison of methods: {result.preset}",
        facts={
            "policy": result.policy,
            "budget of each run": ", ".join(f"{name}={limit:,.10g}" for name, limit in result.budget.items()),
            "seeds": ", ".join(map(str, result.seeds)),
            "control": result.control,
        },
        notes=_notes(result),
        parts=[*tables, _cost_table(result), *(figure for figure in figures if figure.curves)],
    )


def _domain(result: ComparisonResult, split: str) -> str:
    return f"{'In domain' if split == result.splits[0] else 'Out of domain'}: {split}"


def _notes(result: ComparisonResult) -> list[str]:
    seeds = len(result.seeds)
    if seeds > 1:
        notes = [
            f"Scores are those of one greedy attempt at each item, averaged over {seeds} seeds. "
            "Intervals hold the mean with 95 % confidence, whatever the seeds and the items.",
            f"p: t test against {result.control} over seeds and items; * marks p of at most {LEVEL}.",
        ]
    else:
        notes = [
            "Scores are those of one greedy attempt at each item, of one seed. "
            "Intervals hold the mean over items with 95 % confidence.",
            f"p: paired sign-flip test against {result.control} on the same items. "
            "It is about these two policies: whether the methods differ, only several seeds can tell.",
        ]
    notes[-1] += " It is not corrected for the number of methods and splits."
    if any(each.cost.get("gold_answers") for each in result.methods.values()):
        notes.append(
            "A method that samples nothing has no attempts to count: a step of it learns from as many gold answers as "
            "a step of the others makes attempts, and a budget of attempts or tokens counts gold answers."
        )
    return notes


def _score_table(result: ComparisonResult, split: str, name: str, title: str) -> Table:
    rows: dict[str, dict[str, str]] = {}
    if name in result.before.get(split, {}):
        rows["before training"] = {f"{name} (95 %)": interval_text(result.before[split][name].estimate)}
    for method, own in result.methods.items():
        rows[method] = _score_cells(result, own, split, name)
    return Table(title, rows)


def _score_cells(result: ComparisonResult, own: MethodResult, split: str, name: str) -> dict[str, str]:
    if own.failure is not None:
        return {FAILED: own.failure}
    if name not in own.scores.get(split, {}):
        return {}
    scores = own.scores[split][name]
    cells = {f"{name} (95 %)": interval_text(scores.estimate)}
    if len(result.seeds) > 1:
        cells["seeds"] = _range(scores)
    if name in own.against_control.get(split, {}):
        against = own.against_control[split][name]
        cells[f"less {result.control}"] = interval_text(against.difference)
        is_significant = len(result.seeds) > 1 and against.p <= LEVEL
        cells["p"] = f"{against.p:.4f}{' *' if is_significant else ''}"
    return cells


def _range(scores: SeedScores) -> str:
    return f"{min(scores.by_seed):.3f} to {max(scores.by_seed):.3f}"


def _cost_table(result: ComparisonResult) -> Table:
    names = ("steps", "attempts", "gold_answers", "tokens", "seconds")
    used = [name for name in names if any(each.cost.get(name) for each in result.methods.values())]
    rows: dict[str, Mapping[str, str]] = {}
    for method, own in result.methods.items():
        cells = {_cost_title(name): _amount(name, own.cost[name]) for name in used if name in own.cost}
        rows[method] = cells if own.failure is None else {FAILED: own.failure}
    return Table("Cost of a run: means over seeds", rows, "Seconds are those of training; evaluations are left out.")


def _cost_title(name: str) -> str:
    return {"tokens": "sampled tokens"}.get(name, name.replace("_", " "))


def _amount(name: str, value: float) -> str:
    return f"{value:,.1f}" if name == "seconds" else f"{value:,.0f}"


def _figure(result: ComparisonResult, split: str) -> Figure:
    curves = {method: own.curves[split] for method, own in result.methods.items() if split in own.curves}
    note = "Lines: mean over seeds; bands: from the worst seed to the best." if len(result.seeds) > 1 else ""
    has_gold = any(each.cost.get("gold_answers") for each in result.methods.values())
    unit = "attempts, or gold answers" if result.unit == "attempts" and has_gold else result.unit
    where = "in domain" if split == result.splits[0] else "out of domain"
    return Figure(f"Learning curves of the {REWARD}, {where}: {split}", unit, curves, note)
