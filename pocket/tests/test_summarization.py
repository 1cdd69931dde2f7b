"""The task: what a report says mattered, when a summary tells it, and which report an attempt is right for."""

import random

import pytest

from backsight_pocket.splits import is_held_out
from backsight_pocket.summarization import PocketSummaryTask, item_of, longest, prompt_of
from backsight_pocket.world.clauses import Clause, Phrase
from backsight_pocket.world.english import short_form
from backsight_pocket.world.reports import MAIN_MARKS, Report, draw_report, find_covered

SPLITS = ("train", "in_domain", "domains", "longer")
REPORT = Report(
    "harbour",
    (
        Clause(Phrase("sailor"), "moor", "past", Phrase("ferry", known=False, quality="leaky"), place=Phrase("pier")),
        Clause(Phrase("captain"), "walk", "past", place=Phrase("cove"), time="yesterday", negated=True),
        Clause(Phrase("gull", plural=True), "be", "past", state="playful"),
        Clause(Phrase("Anna"), "see", "past", Phrase("sailor")),
    ),
    ("Above all,", "", "Besides,", "Mainly,"),
)


@pytest.fixture(scope="module")
def task() -> PocketSummaryTask:
    return PocketSummaryTask(eval_items=100)


def test_a_report_by_hand() -> None:
    assert prompt_of(REPORT) == (
        "report: Above all, the sailor moored a leaky ferry on the pier. The captain did not walk to the cove "
        "yesterday. Besides, the gulls were playful. Mainly, Anna saw the sailor. summary in 12 words:"
    )
    assert REPORT.main == (0, 3)
    assert REPORT.headline == "sailor moored ferry; Anna saw sailor"


@pytest.mark.parametrize(
    ("summary", "told"),
    [
        (" sailor moored ferry; Anna saw sailor", (0, 3)),
        (" The sailor moored a leaky ferry and Anna saw the sailor.", (0, 3)),
        ("the sailors will moor ferries", (0,)),  # another form
        ("ferry moored sailor", ()),  # another order
        ("sailor moored; ferry", ()),  # two parts
        ("captain walked to cove", ()),  # the negation is missing
        ("captain never walked to cove, sailor did not moor ferry", (1,)),
        ("gulls playful. anna saw sailor", (2, 3)),
        ("", ()),
        ("🙂", ()),
    ],
)
def test_which_facts_a_summary_tells(summary: str, told: tuple[int, ...]) -> None:
    assert find_covered(REPORT, summary) == told


@pytest.mark.parametrize(
    ("summary", "reward", "coverage", "length"),
    [
        (" sailor moored ferry; Anna saw sailor", 1.0, 1.0, 1.0),
        (" sailor moored ferry", 0.5, 0.5, 1.0),
        (" captain did not walk to cove", 0.0, 0.0, 1.0),
        (" sailor moored ferry on the pier; then Anna saw sailor again and again and again", 0.0, 1.0, 0.0),
        (" .", 0.0, 0.0, 0.0),
        (" sailor moored ferry;" * 3000, 0.0, 0.5, 0.0),
    ],
)
def test_the_reward_is_coverage_within_the_window(
    task: PocketSummaryTask, summary: str, reward: float, coverage: float, length: float
) -> None:
    feedback = task.judge(item_of("0", REPORT), summary)
    assert feedback.reward == reward and feedback.success is (reward == 1.0)
    assert feedback.rewards == {"coverage": coverage, "length": length}


@pytest.mark.parametrize("split", SPLITS)
def test_gold_answers_get_full_marks(task: PocketSummaryTask, split: str) -> None:
    assert task.validate(split, 100) == 100
    for item in task.items(split)[:100]:
        report: Report = item.columns["report"]
        assert len(str(item.target).split()) <= longest(report)
        assert find_covered(report, str(item.target)) == report.main  # a headline tells nothing else


def test_sizes_are_what_they_say(task: PocketSummaryTask) -> None:
    for split, sizes in (("train", {3, 4, 5, 6}), ("domains", {3, 4, 5, 6}), ("longer", {7, 8})):
        items = task.items(split)[:100]
        assert {len(item.columns["report"].facts) for item in items} == sizes
        assert {len(item.columns["report"].main) for item in items} == {1, 2}
        assert all(item.prompt.count(".") == len(item.columns["report"].facts) for item in items)
        assert all(len(f"{item.prompt}{item.target}".split()) < 95 for item in items)


def test_main_facts_stand_anywhere(task: PocketSummaryTask) -> None:
    first = [0 in item.columns["report"].main for item in task.items("train")[:200]]
    assert 20 < sum(first) < 120


def test_items_are_the_same_each_time(task: PocketSummaryTask) -> None:
    again = PocketSummaryTask(eval_items=100)
    assert all(task.items(split)[:50] == again.items(split)[:50] for split in SPLITS)


def test_held_out_domains_are_in_their_split_alone(task: PocketSummaryTask) -> None:
    for split in ("train", "in_domain", "longer"):
        assert not any(is_held_out(item.prompt) for item in task.items(split)[:100])
    assert all(is_held_out(item.prompt) for item in task.items("domains")[:100])


def test_relabelling_by_hand(task: PocketSummaryTask) -> None:
    prompt = task.relabel_prompt(item_of("0", REPORT), " gulls were playful", seed=0)
    assert prompt is not None and prompt.endswith("summary in 6 words:")
    assert sum(prompt.count(mark) for mark in MAIN_MARKS) == 1
    assert any(f"{mark} the gulls were playful." in prompt for mark in MAIN_MARKS)


def test_a_relabelled_report_makes_the_summary_right(task: PocketSummaryTask) -> None:
    rng = random.Random(0)
    relabelled = 0
    for number, item in enumerate(task.items("train")[:300]):
        report: Report = item.columns["report"]
        other = draw_report(rng, report.domain, 3, 1)
        told = rng.sample([*report.facts, other.facts[0]], rng.choice((1, 2, 3)))
        completion = " " + rng.choice(("; ", " and ", ", ")).join(map(short_form, told))
        changed = task.relabel_report(item, completion, number)
        assert task.relabel_prompt(item, completion, number) == (None if changed is None else prompt_of(changed))
        if changed is not None:
            relabelled += 1
            assert task.judge(item_of("again", changed), completion).success
            assert changed.facts == report.facts
            assert sorted(completion.strip().replace(" and ", "; ").replace(", ", "; ").split("; ")) == sorted(
                changed.headline.split("; ")
            )
    assert 50 < relabelled < 250


def test_nothing_is_relabelled_from_nothing(task: PocketSummaryTask) -> None:
    item = item_of("0", REPORT)
    noisy = (
        " gulls were playful; sailor captain",
        " gulls were playful; gulls were playful",
        " the gulls were playful",
    )
    for completion in ("", "🙂", " sailor captain", " sailor moored ferry;" * 3000, *noisy):
        assert task.relabel_prompt(item, completion, 0) is None
