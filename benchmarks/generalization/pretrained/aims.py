"""What the experiment has to reach, held against what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.generalization.pretrained.exams import Kind
from benchmarks.generalization.pretrained.verdict import Verdict
from benchmarks.generalization.pretrained.ways import BASE, Role
from benchmarks.shared.results import Figure

APPLICATIONS_AHEAD = 3
"""How many of the applications have to be ahead out of domain."""
TIMES_PLAIN, POINTS_OF_IFEVAL, MOST_FORGOTTEN = 2.0, 0.05, 0.02
"""The aims of `instructions`: the gain in domain over that of plain RL, points of IFEval gained on the base, and nats a
token of general text that may be lost."""


def hold_against_aims(verdicts: Sequence[Verdict]) -> list[Figure]:
    """Return the figures that have aims, of those applications that were tried."""
    figures = [figure for each in verdicts for figure in _leads(each)]
    counted = [each for each in verdicts if each.application.is_counted]
    row = "applications in which hindsight is ahead of SFT and of plain RL out of domain"
    ahead = Figure(row, sum(each.is_ahead for each in counted), None, f"of {len(counted)}")
    figures.append(ahead.hold_against(">=", APPLICATIONS_AHEAD))
    for each in verdicts:
        if each.application.name == "instructions":
            figures += _instructions(each)
    return figures


def _leads(own: Verdict) -> Iterator[Figure]:
    """Yield how far the method that looks back is ahead of each rival out of domain."""
    *_, best = own.conclusive
    for rival, lead in own.leads.items():
        row = f"{own.application.name}, out of domain: {best.name} minus {rival}"
        aim = ("> 0, outside the interval", lead.low > 0) if own.application.is_counted else (None, None)
        yield Figure(row, lead.mean, (lead.low, lead.high), "score", *aim)


def _instructions(own: Verdict) -> Iterator[Figure]:
    *_, best = own.conclusive
    plain = own.best(Role.PLAIN, by=Kind.IN_DOMAIN)
    assert plain is not None, "each application has plain RL"
    name, gains = own.application.name, [own.gain(way, Kind.IN_DOMAIN).mean for way in (best, plain)]
    row = f"{name}, in domain: gain of {best.name} over that of {plain.name}"
    if gains[1] > 0:
        yield Figure(row, gains[0] / gains[1], None, "times").hold_against(">=", TIMES_PLAIN)
    ifeval = [exam for exam in own.exams if exam.name == "ifeval"]
    controls = [way for way in own.ways if way.role is not Role.HINDSIGHT]
    strongest = max(controls, key=lambda way: own.lead(way, BASE, ifeval).mean)
    for rival, words, least in ((BASE, "", POINTS_OF_IFEVAL), (strongest, ", the best control", 0.0)):
        row = f"{name}, ifeval: {best.name} minus {rival.name}{words}"
        yield Figure.of_estimate(row, own.lead(best, rival, ifeval), "score").hold_against(">=", least)
    lost = Figure.of_estimate(f"{name}, general text: {best.name}", own.forgotten(best), "nats a token forgotten")
    yield lost.hold_against("<=", MOST_FORGOTTEN)
