"""Tables from given numbers."""

from pathlib import Path

from backsight.comparison.report import make_report
from backsight.comparison.results import ComparisonResult, MethodResult
from backsight.evaluation.across_seeds import Curve, SeedScores
from backsight.evaluation.paired import Comparison
from backsight.evaluation.statistics import Estimate
from backsight.reports.document import Figure

BEFORE = SeedScores(Estimate(0.1, 0.05, 0.15, 100), (0.1,))
CONTROL = SeedScores(Estimate(0.25, 0.2, 0.3, 100), (0.2, 0.3))
BETTER = SeedScores(Estimate(0.5, 0.4, 0.6, 100), (0.45, 0.55))
CURVE = Curve((0.0, 10.0), (0.1, 0.25), (0.1, 0.2), (0.1, 0.3))
COST = {"steps": 10, "gold_answers": 0, "attempts": 1234, "tokens": 5678.5, "seconds": 12.345}
GOLD = {"steps": 10, "gold_answers": 1280, "attempts": 0, "tokens": 0, "seconds": 3.0}
RESULT = ComparisonResult(
    folder=Path("comparisons/toy"),
    preset="toy",
    policy="pocket",
    budget={"max_attempts": 20_000},
    unit="attempts",
    seeds=[0, 1],
    control="outcome",
    splits=["test", "far", "general text"],
    before={"test": {"reward": BEFORE}, "general text": {"log-probability a token": BEFORE}},
    methods={
        "outcome": MethodResult(cost=COST, scores={"test": {"reward": CONTROL}}, curves={"test": CURVE}),
        "supervised": MethodResult(
            cost=GOLD,
            scores={"test": {"reward": BETTER}},
            against_control={"test": {"reward": Comparison(0.25, 0.5, Estimate(0.25, 0.1, 0.4, 100), 0.05)}},
            curves={"test": CURVE},
        ),
        "broken": MethodResult("hindsight: broken: does not fit"),
    },
)


def test_tables_and_curves_of_every_split() -> None:
    titles = [part.title for part in make_report(RESULT).parts]
    assert titles == [
        "In domain: test",
        "Out of domain: far",
        "Forgetting: log-probability a token of general text",
        "Cost of a run: means over seeds",
        "Learning curves of the reward, in domain: test",
    ]


def test_rows_of_a_split() -> None:
    assert make_report(RESULT).tables[0].rows == {
        "before training": {"reward (95 %)": "0.100 (0.050–0.150)"},
        "outcome": {"reward (95 %)": "0.250 (0.200–0.300)", "seeds": "0.200 to 0.300"},
        "supervised": {
            "reward (95 %)": "0.500 (0.400–0.600)",
            "seeds": "0.450 to 0.550",
            "less outcome": "0.250 (0.100–0.400)",
            "p": "0.0500 *",
        },
        "broken": {"no figures, because": "hindsight: broken: does not fit"},
    }


def test_what_it_cost() -> None:
    rows = make_report(RESULT).tables[-1].rows
    assert rows["outcome"] == {
        "steps": "10",
        "attempts": "1,234",
        "gold answers": "0",
        "sampled tokens": "5,678",
        "seconds": "12.3",
    }
    assert rows["broken"] == {"no figures, because": "hindsight: broken: does not fit"}


def test_what_has_to_be_said() -> None:
    report = make_report(RESULT)
    assert report.facts["budget of each run"] == "max_attempts=20,000"
    assert "averaged over 2 seeds" in report.notes[0]
    assert "against outcome" in report.notes[1] and "not corrected" in report.notes[1]
    assert "gold answers" in report.notes[2]
    (figure,) = [part for part in report.parts if isinstance(part, Figure)]
    assert figure.unit == "attempts, or gold answers"
