"""The figures of the generalization benchmark, from cells made by hand."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from benchmarks.generalization.protocol import (
    OUTCOME,
    SFT,
    SFT_LONG,
    WARM_UP,
    WITHOUT_HINDSIGHT,
    Budget,
    Cell,
    Ground,
    Method,
    Part,
    World,
    count_steps,
    divide_labels,
    do_runs,
    read_runs,
)
from benchmarks.generalization.real import convert_coffee, convert_movies
from benchmarks.generalization.summary import IN_DOMAIN, OUT_OF_DOMAIN, Summary, make_figures, summarize

from backsight_pocket.sentiment import PocketSentimentTask

SPLITS = {IN_DOMAIN: ["test"], OUT_OF_DOMAIN: ["near", "far"]}
FAMILY = "a family"


def cell(
    test: float, near: list[float], far: list[float], dev: float = 0.5, forgotten: float = 0.0, attempts: int = 0
) -> Cell:
    scores = {"test": [test] * 2, "near": near, "far": far}
    return Cell(1e-3, dev, scores, [forgotten] * 3, attempts, labels=5, seconds=1.0)


def summary(revise_dev: float = 0.4) -> Summary:
    cells = {
        WARM_UP: [cell(0.5, [0.2, 0.4], [0.6]), cell(0.5, [0.4, 0.4], [0.4])],
        SFT: [cell(0.9, [0.4, 0.4], [0.4])] * 2,
        SFT_LONG: [cell(0.4, [0.5, 0.5], [0.5])] * 2,
        OUTCOME: [cell(0.6, [0.5, 0.6], [0.7], forgotten=0.1, attempts=10)] * 2,
        "relabel": [cell(0.8, [0.7, 0.8], [0.9], attempts=10), cell(0.8, [0.7, 0.8], [0.9], attempts=20)],
        "revise": [cell(0.9, [1.0, 1.0], [1.0], dev=0.4), cell(0.9, [1.0, 1.0], [1.0], dev=revise_dev)],
    }
    return summarize("a world", FAMILY, SPLITS, cells)


def test_seeds_are_averaged_by_item_and_splits_of_a_kind_are_joined():
    own = summary()
    # near: (0.2 + 0.4) / 2 and 0.4; far: (0.6 + 0.4) / 2
    assert own.warm_up[OUT_OF_DOMAIN].mean == pytest.approx((0.3 + 0.4 + 0.5) / 3)
    assert own.warm_up[OUT_OF_DOMAIN].count == 3
    assert own.gains[OUT_OF_DOMAIN][OUTCOME].mean == pytest.approx(0.2)


def test_gains_are_paired_by_item():
    gain = summary().gains[OUT_OF_DOMAIN][OUTCOME]
    assert (gain.low, gain.high) == pytest.approx((0.2, 0.2))  # each item gained as much: no interval to speak of


def test_the_interval_of_a_lead_allows_for_other_seeds():
    """With items alone, a lead of 0.3 and one of 0.1 would be told apart from nothing by far."""
    cells = {
        WARM_UP: [cell(0.5, [0.2, 0.4], [0.6])] * 2,
        SFT: [cell(0.5, [0.2, 0.4], [0.6])] * 2,
        SFT_LONG: [cell(0.5, [0.2, 0.4], [0.6])] * 2,
        OUTCOME: [cell(0.5, [0.2, 0.4], [0.6])] * 2,
        "relabel": [cell(0.5, [0.5, 0.7], [0.9]), cell(0.5, [0.3, 0.5], [0.7])],
    }
    lead = summarize("a world", FAMILY, SPLITS, cells).leads[OUTCOME]
    # two seeds at 0.3 and 0.1: a deviation of 0.1 of their mean, and 12.7 of it with one degree of freedom
    assert (lead.mean, lead.high - lead.mean) == pytest.approx((0.2, 12.706 * 0.1), rel=1e-3)


def test_the_gap_is_what_the_warm_up_left():
    closed = summary().gap_closed(IN_DOMAIN, SFT)
    assert closed.mean == pytest.approx(0.4 / 0.5)


def test_the_method_that_looks_back_is_chosen_on_the_dev_split():
    assert summary().hindsight == "relabel"  # though the other one is better on all that is reported
    assert summary(revise_dev=0.7).hindsight == "revise"  # 0.4 and 0.7 against 0.5


def test_the_supervised_rival_is_the_best_one_out_of_domain():
    own = summary()
    assert own.best_sft == SFT_LONG
    assert own.leads[SFT_LONG].mean == pytest.approx(0.8 - 0.5)
    assert own.leads[OUTCOME].mean == pytest.approx(0.2)


def test_costs_are_means_over_seeds_and_forgetting_is_told_by_method():
    own = summary()
    assert own.costs["relabel"]["attempts"] == 15
    assert own.learning_rates["relabel"] == 1e-3
    assert own.forgotten[OUTCOME].mean == pytest.approx(0.1)


def test_without_general_text_nothing_is_told_of_forgetting():
    silent = Cell(1e-3, 0.5, {"test": [1.0], "near": [1.0], "far": [0.0]}, [], 0, 5, 1.0)
    names = (WARM_UP, SFT, SFT_LONG, OUTCOME, "relabel")
    assert summarize("a world", FAMILY, SPLITS, {name: [silent] for name in names}).forgotten == {}


def test_an_application_counts_where_the_lead_over_both_is_outside_the_interval():
    ahead = summary()
    assert ahead.is_ahead
    *_, count = make_figures([ahead] * 3, [FAMILY])
    assert (count.value, count.holds) == (3, True)
    *_, count = make_figures([ahead] * 2, [FAMILY])
    assert (count.value, count.holds) == (2, False)


def test_families_that_are_not_counted_have_no_aim():
    assert all(figure.aim is None for figure in make_figures([summary()], []))


def test_supervised_rivals_pass_as_often_as_prompts_are_met_or_attempts_sampled():
    budget = Budget(labels=600, warm_up_labels=200, warm_up_passes=1, steps=30, eval_items=1, num_generations=8)
    assert [count_steps(method, budget, gold_share=1.0) for method in (OUTCOME, SFT, SFT_LONG)] == [30, 30, 240]
    # an episode with two and a half gold answers: a pass over them takes longer
    assert [count_steps(method, budget, gold_share=2.5) for method in (OUTCOME, SFT, SFT_LONG)] == [30, 75, 600]


def nothing_to_do(budget: Budget, folder: Path) -> Ground:
    raise AssertionError("a run that is kept is done again")


@pytest.fixture
def world() -> World:
    budget = Budget(labels=6, warm_up_labels=2, warm_up_passes=1, steps=1, eval_items=1)
    methods = {**WITHOUT_HINDSIGHT, "relabel": Method("relabel")}
    return World("a world", FAMILY, "test", ("far",), (0, 1), budget, methods, nothing_to_do, 7e-4, (1e-4, 5e-4))


def keep(folder: Path, method: str, rate: float, seed: int, dev: float, far: float) -> None:
    kept = Cell(rate, dev, {"test": [0.0], "far": [far]}, [], 0, 0, 1.0)
    (folder / f"{method}-{rate:g}-{seed}.json").write_text(json.dumps(asdict(kept)))


@pytest.fixture
def all_kept(world: World, tmp_path: Path) -> Path:
    """Out of domain the lower rate would be the better one; on the dev split the higher one is."""
    for seed in world.seeds:
        keep(tmp_path, WARM_UP, 7e-4, seed, dev=0.1, far=0.1)
        for method in world.methods:
            keep(tmp_path, method, 5e-4, seed, dev=0.6, far=0.2)
    for method in world.methods:
        keep(tmp_path, method, 1e-4, 0, dev=0.5, far=0.9)
    return tmp_path


def test_learning_rates_are_chosen_on_the_dev_split(world: World, all_kept: Path):
    kept = read_runs(world, all_kept)
    assert kept is not None
    assert {method: [each.learning_rate for each in own] for method, own in kept.items()} == {
        WARM_UP: [7e-4, 7e-4],
        **dict.fromkeys(world.methods, [5e-4, 5e-4]),
    }


def test_of_equally_good_learning_rates_the_lowest_is_taken(world: World, all_kept: Path):
    keep(all_kept, OUTCOME, 1e-4, 0, dev=0.6, far=0.9)
    assert read_runs(world, all_kept) is None  # the second seed has no run with it
    keep(all_kept, OUTCOME, 1e-4, 1, dev=0.0, far=0.9)
    kept = read_runs(world, all_kept)
    assert kept is not None
    assert [each.learning_rate for each in kept[OUTCOME]] == [1e-4, 1e-4]


@pytest.mark.parametrize("missing", ["outcome-0.0001-0", "outcome-0.0005-1", "warm-up-0.0007-1"])
def test_a_world_is_told_of_when_all_its_runs_are_kept(world: World, all_kept: Path, missing: str):
    (all_kept / f"{missing}.json").unlink()
    assert read_runs(world, all_kept) is None


def test_the_first_seed_tries_all_learning_rates_and_the_others_the_chosen_one(world: World, all_kept: Path):
    runs = [(method, seed, each.learning_rate) for method, seed, each in do_runs(world, all_kept)]
    assert [run for run in runs if run[0] == "relabel"] == [
        ("relabel", 0, 1e-4),
        ("relabel", 0, 5e-4),
        ("relabel", 1, 5e-4),
    ]
    assert len(runs) == 2 + 3 * len(world.methods)


def test_a_rehearsal_has_one_seed_and_one_learning_rate(world: World):
    rehearsal = world.rehearsal()
    assert (rehearsal.seeds, rehearsal.learning_rates, rehearsal.budget.steps) == ((0,), (1e-4,), 1)


def test_labels_are_divided_without_overlap():
    task = PocketSentimentTask(eval_items=1)
    warm_up, rest = divide_labels(task, Budget(labels=6, warm_up_labels=2, warm_up_passes=1, steps=1, eval_items=1))
    numbers = [[item.id for item in part.items("train")] for part in (warm_up, rest)]
    assert numbers == [[task.items("train")[place].id for place in places] for places in (range(2), range(2, 6))]


def test_a_part_judges_and_relabels_as_the_whole():
    task = PocketSentimentTask(eval_items=1)
    item = task.items("train")[0]
    part = Part(task, [item])
    wrong = next(label for label in task.labels if label not in str(item.target))
    assert part.judge(item, str(item.target)).reward == 1.0
    assert part.relabel_prompt(item, wrong, 3) == task.relabel_prompt(item, wrong, 3) is not None
    assert part.eval_splits == ()


def test_orders_of_coffee_lose_what_was_said_to_the_till():
    turns = [
        {"role": "user", "text": "A latte, please."},
        {"role": "agent", "api": {"get_menu_items": {"query": "Latte"}}},
        {"role": "api", "response": {"menu_items": []}},
        {"role": "agent", "text": " Which size? "},
    ]
    said = [{"role": "user", "content": "A latte, please."}, {"role": "assistant", "content": "Which size?"}]
    assert convert_coffee([{"id": "1", "turns": turns}]) == [{"messages": said}]


def test_talks_about_tickets_are_put_in_order_and_lose_their_calls():
    said = "<U>Two of them.<C><U>Hello.<PN>find<PAN>time<PAV>noon<PR>find<PRAN>x<PRAV>y<A>How many tickets?"
    rows = [
        {"input": said, "target": "[A]For when?"},
        {"input": said, "target": "[PN]find[PAN]time"},  # no reply in words
        {"input": '"<U>I want ""Mulan"".<C>"', "target": '"[A]""Mulan"" it is."'},  # in the quotes of a CSV file
    ]
    spoken = [[(each["role"], each["content"]) for each in row["messages"]] for row in convert_movies(rows)]
    assert spoken == [
        [
            ("user", "Hello."),
            ("assistant", "How many tickets?"),
            ("user", "Two of them."),
            ("assistant", "For when?"),
        ],
        [("user", 'I want "Mulan".'), ("assistant", '"Mulan" it is.')],
    ]
