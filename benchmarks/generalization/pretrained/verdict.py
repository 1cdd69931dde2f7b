"""From the records of an application to its table and its verdict.

Every interval allows for other seeds and other items (`backsight.evaluation.across_seeds`); of a way that was tried
with one seed, for other items alone. Two ways are compared seed by seed and item by item. Several exams out of domain
count as one: their items together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from backsight.comparison.runner import Record
from backsight.evaluation.across_seeds import seed_scores
from backsight.evaluation.statistics import Estimate
from benchmarks.generalization.pretrained.applications import Application
from benchmarks.generalization.pretrained.exams import Exam, Kind
from benchmarks.generalization.pretrained.ways import BASE, Role, Way
from benchmarks.shared.results import Figure

Records = Mapping[str, Sequence[Record]]
"""The records of each way, by its name: one for each seed, in the same order everywhere."""


@dataclass(frozen=True)
class Verdict:
    """What came of an application."""

    application: Application
    exams: Sequence[Exam]
    records: Records

    @property
    def ways(self) -> list[Way]:
        """The ways that were tried."""
        return [way for way in self.application.ways if self.records.get(way.name)]

    def score(self, way: Way, exam: Exam) -> Estimate:
        """Return the score of a way in an exam."""
        return _estimate(self._counted(way, [exam]))

    def gain(self, way: Way, kind: Kind) -> Estimate:
        """Return what a way gained on the base in all exams of a kind."""
        return self.lead(way, BASE, [exam for exam in self.exams if exam.kind is kind])

    def lead(self, way: Way, other: Way, exams: Sequence[Exam]) -> Estimate:
        """Return how far a way is ahead of another, over the seeds that both have; the base has one, for all."""
        ours, theirs = self._counted(way, exams), self._counted(other, exams)
        if not other.is_trained:
            theirs = theirs[:1] * len(ours)
        pairs = zip(ours, theirs, strict=False)
        return _estimate([[one - two for one, two in zip(own, rival, strict=True)] for own, rival in pairs])

    def forgotten(self, way: Way) -> Estimate:
        """Return the nats a token that general text has lost since the base."""
        base = self.records[BASE.name][0]["general"]
        return _estimate(
            [[before - after for before, after in zip(base, own["general"], strict=True)] for own in self._of(way)]
        )

    def mean_of(self, way: Way, exam: Exam, score: str) -> float | None:
        """Return the mean of any score of an exam; None where it has no such score."""
        values = [value for own in self._of(way) for value in own["scores"][exam.name].get(score, ())]
        known = [value for value in values if value is not None]
        return fmean(known) if known else None

    def best(self, role: Role, by: Kind) -> Way | None:
        """Return the way of a role that is best with the first seed, which all have: on the dev exam, or in the exams
        of a kind."""
        first = replace(self, records={name: own[:1] for name, own in self.records.items()})
        those = [way for way in self.ways if way.role is role]
        if by is Kind.DEV:
            return max(those, key=lambda way: max(self._of(way)[0]["dev"].values()), default=None)
        return max(those, key=lambda way: first.gain(way, by).mean, default=None)

    @property
    def conclusive(self) -> list[Way]:
        """The ways that the conclusion rests on: of supervised fine-tuning and of plain RL the hardest to beat out of
        domain, and of those that look back the best on the dev exam."""
        outside = Kind.OUT_OF_DOMAIN
        found = (
            self.best(Role.SUPERVISED, by=outside),
            self.best(Role.PLAIN, by=outside),
            self.best(Role.HINDSIGHT, by=Kind.DEV),
        )
        return [way for way in found if way is not None]

    @property
    def leads(self) -> dict[str, Estimate]:
        """How far the best way that looks back is ahead of each rival out of domain, by the name of the rival."""
        *rivals, own = self.conclusive
        outside = [exam for exam in self.exams if exam.kind is Kind.OUT_OF_DOMAIN]
        return {rival.name: self.lead(own, rival, outside) for rival in rivals}

    @property
    def is_ahead(self) -> bool:
        """Whether hindsight is ahead of supervised fine-tuning and of plain RL out of domain, outside the intervals."""
        return all(lead.low > 0 for lead in self.leads.values())

    def _of(self, way: Way) -> Sequence[Record]:
        return self.records[way.name]

    def _counted(self, way: Way, exams: Sequence[Exam]) -> list[list[float]]:
        base = self.records[BASE.name][0]["scores"]
        return [
            [value for exam in exams for value in exam.count(own["scores"][exam.name], base[exam.name])]
            for own in self._of(way)
        ]


def _estimate(runs: Sequence[Sequence[float]]) -> Estimate:
    found = seed_scores(runs)
    assert found is not None, "every item has a score"
    return found.estimate


def list_scores(own: Verdict) -> list[Figure]:
    """Return the scores and costs of every way of an application."""
    name, figures = own.application.name, []
    for way in own.ways:
        for exam in own.exams:
            figures.append(Figure.of_estimate(f"{name}, {exam.name}: {way.name}", own.score(way, exam), "score"))
        figures.append(
            Figure.of_estimate(f"{name}, general text: {way.name}, forgotten", own.forgotten(way), "nats a token")
        )
        for cost in ("attempts", "prompts", "seconds"):
            values = [record.get(cost, 0) for record in own.records[way.name]]
            figures.append(Figure(f"{name}: {way.name}, {cost}", fmean(values), None, cost))
    return figures
