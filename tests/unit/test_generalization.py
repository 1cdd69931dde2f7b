"""The figures of the generalization benchmark, from cells made by hand."""

from __future__ import annotations

import pytest
from generalization_protocol import OUTCOME, SFT, SFT_LONG, WARM_UP, Budget, Cell, Part, divided, steps_of
from generalization_real import coffee_dialogues, movie_dialogues
from generalization_summary import IN_DOMAIN, OUT_OF_DOMAIN, Summary, figures_of, summarised

from backsight.pocket.sentiment import PocketSentimentTask

SPLITS = {IN_DOMAIN: ["test"], OUT_OF_DOMAIN: ["near", "far"]}
FAMILY = "a family"


def cell(test: float, near: list[float], far: list[float], forgotten: float = 0.0, attempts: int = 0) -> Cell:
    return Cell({"test": [test] * 2, "near": near, "far": far}, [forgotten] * 3, attempts, labels=5, seconds=1.0)


def summary(relabel: float = 0.8, revise: float = 0.7) -> Summary:
    cells = {
        WARM_UP: [cell(0.5, [0.2, 0.4], [0.6]), cell(0.5, [0.4, 0.4], [0.4])],
        SFT: [cell(0.9, [0.4, 0.4], [0.4])] * 2,
        SFT_LONG: [cell(0.4, [0.5, 0.5], [0.5])] * 2,
        OUTCOME: [cell(0.6, [0.5, 0.6], [0.7], forgotten=0.1, attempts=10)] * 2,
        "relabel": [cell(relabel, [0.7, 0.8], [0.9], attempts=10), cell(relabel, [0.7, 0.8], [0.9], attempts=20)],
        "revise": [cell(revise, [1.0, 1.0], [1.0])] * 2,
    }
    return summarised("a world", FAMILY, SPLITS, cells)


def test_seeds_are_averaged_by_item_and_splits_of_a_kind_are_joined():
    own = summary()
    # near: (0.2 + 0.4) / 2 and 0.4; far: (0.6 + 0.4) / 2
    assert own.warm_up[OUT_OF_DOMAIN].mean == pytest.approx((0.3 + 0.4 + 0.5) / 3)
    assert own.warm_up[OUT_OF_DOMAIN].count == 3
    assert own.gains[OUT_OF_DOMAIN][OUTCOME].mean == pytest.approx(0.2)


def test_gains_are_paired_by_item():
    gain = summary().gains[OUT_OF_DOMAIN][OUTCOME]
    assert (gain.low, gain.high) == pytest.approx((0.2, 0.2))  # each item gained as much: no interval to speak of


def test_the_gap_is_what_the_warm_up_left():
    closed = summary().gap_closed(IN_DOMAIN, SFT)
    assert closed.mean == pytest.approx(0.4 / 0.5)


def test_the_method_that_looks_back_is_chosen_in_domain():
    assert summary().hindsight == "relabel"  # though the other one is better out of domain
    assert summary(revise=0.9).hindsight == "revise"


def test_the_supervised_rival_is_the_best_one_out_of_domain():
    own = summary()
    assert own.best_sft == SFT_LONG
    assert own.leads[SFT_LONG].mean == pytest.approx(0.8 - 0.5)
    assert own.leads[OUTCOME].mean == pytest.approx(0.2)


def test_costs_are_means_over_seeds_and_forgetting_is_told_by_method():
    own = summary()
    assert own.costs["relabel"]["attempts"] == 15
    assert own.forgotten[OUTCOME].mean == pytest.approx(0.1)


def test_without_general_text_nothing_is_told_of_forgetting():
    silent = Cell({"test": [1.0], "near": [1.0], "far": [0.0]}, [], 0, 5, 1.0)
    names = (WARM_UP, SFT, SFT_LONG, OUTCOME, "relabel")
    assert summarised("a world", FAMILY, SPLITS, {name: [silent] for name in names}).forgotten == {}


def test_an_application_counts_where_the_lead_over_both_is_outside_the_interval():
    ahead = summary()
    assert ahead.is_ahead
    *_, count = figures_of([ahead] * 3, [FAMILY])
    assert (count.value, count.holds) == (3, True)
    *_, count = figures_of([ahead] * 2, [FAMILY])
    assert (count.value, count.holds) == (2, False)


def test_families_that_are_not_counted_have_no_aim():
    assert all(figure.aim is None for figure in figures_of([summary()], []))


def test_supervised_rivals_pass_as_often_as_prompts_are_met_or_attempts_sampled():
    budget = Budget(labels=600, warm_up_labels=200, warm_up_passes=1, steps=30, eval_items=1, num_generations=8)
    assert [steps_of(method, budget, gold_share=1.0) for method in (OUTCOME, SFT, SFT_LONG)] == [30, 30, 240]
    # an episode with two and a half gold answers: a pass over them takes longer
    assert [steps_of(method, budget, gold_share=2.5) for method in (OUTCOME, SFT, SFT_LONG)] == [30, 75, 600]


def test_labels_are_divided_without_overlap():
    task = PocketSentimentTask(eval_items=1)
    warm_up, rest = divided(task, Budget(labels=6, warm_up_labels=2, warm_up_passes=1, steps=1, eval_items=1))
    numbers = [[item.id for item in part.items("train")] for part in (warm_up, rest)]
    assert numbers == [[task.items("train")[place].id for place in places] for places in (range(2), range(2, 6))]


def test_a_part_judges_and_relabels_as_the_whole():
    task = PocketSentimentTask(eval_items=1)
    item = task.items("train")[0]
    part = Part(task, [item])
    wrong = next(label for label in task.labels if label not in str(item.target))
    assert part.judge(item, str(item.target)).reward == 1.0
    assert part.relabelled(item, wrong, 3) == task.relabelled(item, wrong, 3) is not None
    assert part.eval_splits == ()


def test_orders_of_coffee_lose_what_was_said_to_the_till():
    turns = [
        {"role": "user", "text": "A latte, please."},
        {"role": "agent", "api": {"get_menu_items": {"query": "Latte"}}},
        {"role": "api", "response": {"menu_items": []}},
        {"role": "agent", "text": " Which size? "},
    ]
    said = [{"role": "user", "content": "A latte, please."}, {"role": "assistant", "content": "Which size?"}]
    assert coffee_dialogues([{"id": "1", "turns": turns}]) == [{"messages": said}]


def test_talks_about_tickets_are_put_in_order_and_lose_their_calls():
    said = "<U>Two of them.<C><U>Hello.<PN>find<PAN>time<PAV>noon<PR>find<PRAN>x<PRAV>y<A>How many tickets?"
    rows = [
        {"input": said, "target": "[A]For when?"},
        {"input": said, "target": "[PN]find[PAN]time"},  # no reply in words
        {"input": '"<U>I want ""Mulan"".<C>"', "target": '"[A]""Mulan"" it is."'},  # in the quotes of a CSV file
    ]
    spoken = [[(each["role"], each["content"]) for each in row["messages"]] for row in movie_dialogues(rows)]
    assert spoken == [
        [
            ("user", "Hello."),
            ("assistant", "How many tickets?"),
            ("user", "Two of them."),
            ("assistant", "For when?"),
        ],
        [("user", 'I want "Mulan".'), ("assistant", '"Mulan" it is.')],
    ]
