"""From the cells of a world to its figures: gains over the warm-up, what was forgotten, and who is ahead out of domain.

Every interval allows for other seeds and other items (`backsight.evaluation.across_seeds`). Two methods are compared
seed by seed, because with the same seed both start from the same warm-up. Several splits out of domain count as one:
their items together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from backsight.evaluation.across_seeds import seed_scores
from backsight.evaluation.statistics import Estimate
from benchmarks.generalization.protocol import CONTROLS, OUTCOME, SFT, SFT_LONG, WARM_UP, Cell
from benchmarks.shared.results import Figure

IN_DOMAIN, OUT_OF_DOMAIN = "in domain", "out of domain"
ENOUGH = 3
"""How many of the four applications have to hold."""

Cells = Mapping[str, Sequence[Cell]]
"""The cells of each method, one a seed, in the same order everywhere."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of one world. Kinds are `IN_DOMAIN` and `OUT_OF_DOMAIN`; methods include the warm-up where said."""

    world: str
    family: str
    warm_up: Mapping[str, Estimate]
    """The score of the warm-up, by kind."""
    gains: Mapping[str, Mapping[str, Estimate]]
    """What was gained over the warm-up, paired by seed and item; by kind and method."""
    forgotten: Mapping[str, Estimate]
    """Nats a token of general text that were lost, by method, warm-up included; none where the policy says no text."""
    learning_rates: Mapping[str, float]
    """The learning rates that were chosen, by method, warm-up included."""
    costs: Mapping[str, Mapping[str, float]]
    """Attempts, gold answers and seconds of training, by method, warm-up included; means over seeds."""
    hindsight: str
    """The method that is best on the dev split over all seeds, of those that look back."""
    best_sft: str
    """The supervised method that gained most out of domain: the hardest to beat."""
    leads: Mapping[str, Estimate]
    """The lead of `hindsight` out of domain over `best_sft` and over plain reinforcement learning, paired by seed and
    item."""

    def gap_closed(self, kind: str, method: str) -> Estimate:
        """Return the gain as a share of what the warm-up had left to gain."""
        gain, left = self.gains[kind][method], 1 - self.warm_up[kind].mean
        return Estimate(gain.mean / left, gain.low / left, gain.high / left, gain.count)

    @property
    def is_ahead(self) -> bool:
        """Whether hindsight leads over both, outside the interval."""
        return all(lead.low > 0 for lead in self.leads.values())


def summarize(world: str, family: str, splits: Mapping[str, Sequence[str]], cells: Cells) -> Summary:
    """Summarize the cells of a world; `splits` are the names of those of each kind."""
    scores = {
        kind: {method: [_join_splits(cell, names) for cell in own] for method, own in cells.items()}
        for kind, names in splits.items()
    }
    gains = {
        kind: {method: _compare(own, by_method[WARM_UP]) for method, own in by_method.items() if method != WARM_UP}
        for kind, by_method in scores.items()
    }
    looking_back = [method for method in cells if method not in (WARM_UP, *CONTROLS)]
    hindsight = max(looking_back, key=lambda method: fmean(cell.dev for cell in cells[method]))
    best_sft = max((SFT, SFT_LONG), key=lambda method: gains[OUT_OF_DOMAIN][method].mean)
    outside = scores[OUT_OF_DOMAIN]
    texts = {method: [cell.forgotten for cell in own] for method, own in cells.items()}
    return Summary(
        world=world,
        family=family,
        warm_up={kind: _estimate(by_method[WARM_UP]) for kind, by_method in scores.items()},
        gains=gains,
        forgotten={method: _estimate(runs) for method, runs in texts.items() if any(runs)},
        learning_rates={method: own[0].learning_rate for method, own in cells.items()},
        costs={
            method: {
                "attempts": fmean(cell.attempts for cell in own),
                "gold answers": fmean(cell.labels for cell in own),
                "seconds": fmean(cell.seconds for cell in own),
            }
            for method, own in cells.items()
        },
        hindsight=hindsight,
        best_sft=best_sft,
        leads={rival: _compare(outside[hindsight], outside[rival]) for rival in (best_sft, OUTCOME)},
    )


def _join_splits(cell: Cell, splits: Sequence[str]) -> list[float]:
    return [score for split in splits for score in cell.scores[split]]


def _compare(runs: Sequence[Sequence[float]], others: Sequence[Sequence[float]]) -> Estimate:
    pairs = zip(runs, others, strict=True)
    return _estimate([[one - two for one, two in zip(own, other, strict=True)] for own, other in pairs])


def _estimate(runs: Sequence[Sequence[float]]) -> Estimate:
    found = seed_scores(runs)
    assert found is not None, "every item of these splits has a score"
    return found.estimate


def make_figures(summaries: Sequence[Summary], counted: Sequence[str]) -> list[Figure]:
    """Return the figures of all worlds, and how many applications hold of each family that is counted."""
    figures = [figure for each in summaries for figure in _describe(each, has_aim=each.family in counted)]
    for family in counted:
        ahead = sum(each.is_ahead for each in summaries if each.family == family)
        row = f"{family}: applications in which hindsight is ahead of SFT and of plain RL out of domain"
        figures.append(Figure(row, ahead, None, "of 4").hold_against(">=", ENOUGH))
    return figures


def _describe(own: Summary, has_aim: bool) -> list[Figure]:
    figures = []
    for kind, score in own.warm_up.items():
        figures.append(Figure.of_estimate(f"{own.world}, {kind}: score of the warm-up", score, "reward"))
        for method, gain in own.gains[kind].items():
            row = f"{own.world}, {kind}: {method}"
            figures.append(Figure.of_estimate(f"{row} minus warm-up", gain, "reward"))
            figures.append(
                Figure.of_estimate(f"{row}, share of the gap closed", own.gap_closed(kind, method), "of the gap")
            )
    for method, lost in own.forgotten.items():
        figures.append(Figure.of_estimate(f"{own.world}: {method}, general text forgotten", lost, "nats a token"))
    for method, rate in own.learning_rates.items():
        figures.append(Figure(f"{own.world}: {method}, learning rate", rate, None, ""))
    for method, costs in own.costs.items():
        figures += [Figure(f"{own.world}: {method}, {name}", value, None, name) for name, value in costs.items()]
    for rival, lead in own.leads.items():
        row = f"{own.world}, out of domain: {own.hindsight} minus {rival}"
        aim = ("> 0, outside the interval", lead.low > 0) if has_aim else (None, None)
        figures.append(Figure(row, lead.mean, (lead.low, lead.high), "reward", *aim))
    return figures
