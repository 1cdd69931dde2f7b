"""The experiment on a pretrained model: exams, verdicts from records made by hand, and IFEval's checkers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks.generalization.pretrained import customers
from benchmarks.generalization.pretrained.aims import hold_against_aims
from benchmarks.generalization.pretrained.applications import APPLICATIONS, Application
from benchmarks.generalization.pretrained.exams import LOG_PROB, REWARDED, Exam, Kind, Questions, Turns
from benchmarks.generalization.pretrained.ifeval import IFEvalTask
from benchmarks.generalization.pretrained.mixture import Mixture, without_exams
from benchmarks.generalization.pretrained.trials import SHARED
from benchmarks.generalization.pretrained.verdict import Verdict
from benchmarks.generalization.pretrained.ways import BASE, SFT, Role, looking_back, plain

from backsight.config import change_config
from backsight.errors import ConfigError
from backsight.interfaces import StepResult
from backsight.presets.base import find_preset
from backsight.tasks.base import Item, PromptTask
from backsight.tasks.forms import PromptForm
from backsight.tasks.instructions.task import InstructionsTask
from backsight.types import Action, Feedback
from backsight_pocket.world.errands import Errand

OUTSIDE = ("near", "far")


class Echo(PromptTask):
    """Items whose answer is a word."""

    eval_splits = ("test",)

    def __init__(self, word: str, count: int) -> None:
        self.word, self.count = word, count

    def items(self, split: str) -> list[Item]:
        return [Item(f"{split}-{number}", f"{self.word} {number}") for number in range(self.count)]

    def judge(self, item: Item, completion: str) -> Feedback:
        return Feedback(reward=float(completion == self.word))


def exam(name: str, kind: Kind) -> Exam:
    return Questions(name, kind, "reward", Echo("a", 1), "test", {})


def record(inside: float, outside: list[float], dev: float = 0.5, general: float = -2.0) -> dict[str, Any]:
    scores = {"in": [inside] * 2, "near": outside[:1], "far": outside[1:]}
    return {
        "scores": {name: {"reward": values} for name, values in scores.items()},
        "general": [general, general - 1],
        "dev": {"3e-05": dev, "0.0001": dev - 0.1},
        "attempts": 10,
    }


@pytest.fixture
def verdict() -> Verdict:
    ways = (BASE, SFT, plain(), looking_back("relabel", "relabel"), looking_back("cort", "cort"))
    application = Application("an application", None, ways, max_completion_length=1, steps=1)  # type: ignore[arg-type]
    exams = [exam("in", Kind.IN_DOMAIN), *(exam(name, Kind.OUT_OF_DOMAIN) for name in OUTSIDE)]
    records = {
        "base": [record(0.2, [0.1, 0.2, 0.3])],
        "sft": [record(0.9, [0.3, 0.3, 0.3]), record(0.9, [0.3, 0.3, 0.5])],
        "outcome": [record(0.4, [0.1, 0.2, 0.6], general=-2.5)] * 2,
        "relabel": [record(0.5, [0.6, 0.7, 0.8], dev=0.6)] * 2,
        "cort": [record(0.9, [0.9, 0.9, 0.9], dev=0.4)],
    }
    return Verdict(application, exams, records)


def test_gains_are_means_over_seeds_and_all_items_of_a_kind(verdict: Verdict):
    ways = {way.name: way for way in verdict.ways}
    assert verdict.gain(ways["sft"], Kind.OUT_OF_DOMAIN).mean == pytest.approx((0.2 + 0.1 + 0.0 + 0.2 + 0.1 + 0.2) / 6)
    assert verdict.gain(ways["relabel"], Kind.IN_DOMAIN).mean == pytest.approx(0.3)
    assert verdict.forgotten(ways["outcome"]).mean == pytest.approx(0.5)


def test_the_verdict_takes_its_method_by_dev_and_its_rivals_out_of_domain(verdict: Verdict):
    assert [way.name for way in verdict.conclusive] == ["sft", "outcome", "relabel"]  # `cort` does better, unseen
    assert verdict.leads["outcome"].mean == pytest.approx(0.4)
    assert verdict.leads["sft"].mean == pytest.approx((0.3 + 0.4 + 0.5 + 0.3 + 0.4 + 0.3) / 6)


def test_a_further_size_of_a_task_is_not_counted(verdict: Verdict):
    weak = {name: [record(0.4, [0.1, 0.1, 0.1])] * 2 for name in ("sft", "outcome")}
    ahead = replace(verdict, records={**verdict.records, **weak})
    small = replace(ahead, application=replace(verdict.application, name="task-32", is_counted=False))
    *figures, count = hold_against_aims([ahead, small])
    assert (count.value, count.unit, count.holds) == (1, "of 1", False)
    assert hold_against_aims([verdict])[-1].value == 0  # its lead over `sft` is not outside the interval
    assert [figure.aim is None for figure in figures] == [False, False, True, True]


def test_instructions_are_held_against_the_better_reward_and_the_best_control(verdict: Verdict):
    exams = [replace(each, name=each.name.replace("near", "ifeval")) for each in verdict.exams]  # type: ignore[type-var]
    records = {name: [_renamed(record) for record in own] for name, own in verdict.records.items()}
    application = replace(verdict.application, name="instructions")
    *_, times, over_base, over_control, forgotten = hold_against_aims([Verdict(application, exams, records)])
    assert times.value == pytest.approx(0.3 / 0.2)  # 0.5 and 0.4 from 0.2
    assert over_base.value == pytest.approx(0.5) and over_base.holds
    assert over_control.row.endswith("minus sft, the best control")
    assert over_control.value == pytest.approx(0.3) and over_control.holds
    assert forgotten.value == pytest.approx(0.0) and forgotten.holds


def _renamed(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "scores": {name.replace("near", "ifeval"): own for name, own in record["scores"].items()}}


def test_turns_count_the_unrewarded_ones_that_gained_less():
    scores = {LOG_PROB: [-1.0, -2.0, -1.0, -3.0], REWARDED: [1.0, 0.0, 1.0, 0.0]}
    base = {LOG_PROB: [-2.0, -2.5, -1.0, -3.0], REWARDED: [1.0, 0.0, 1.0, 0.0]}
    found = Turns("turns", Kind.OUT_OF_DOMAIN, LOG_PROB, []).count(scores, base)
    assert found == [1.0, 0.25]  # gains 1 and 0 of the rewarded against 0.5 and 0: the tie counts for half
    assert Turns("turns", Kind.OUT_OF_DOMAIN, LOG_PROB, []).count(base, base) == [0.5, 0.5]


def test_a_mixture_takes_turns_and_asks_the_judge_of_the_part():
    mixture = Mixture({"one": Echo("a", 3), "two": Echo("b", 2)}, ("test",))
    items = mixture.items("test")
    assert [item.prompt for item in items] == ["a 0", "b 0", "a 1", "b 1"]
    assert [mixture.judge(item, "b").reward for item in items[:2]] == [0.0, 1.0]


def test_what_is_learnt_alone_is_not_evaluated_by_the_run_in_any_form():
    learnt = without_exams(InstructionsTask())
    assert learnt.in_form(PromptForm(is_chat=True)).eval_splits == ()
    mixed = without_exams(Mixture({"one": Echo("a", 3)}, ("test",)))
    assert mixed.eval_splits == ()
    assert mixed.judge(mixed.items("train")[0], "a").reward == 1.0


def test_the_expert_serves_each_customer_in_the_form_of_the_chat():
    """The prompts of the rows are those that an episode shows, so that a policy that says the same meets the goal."""
    task = customers.make_task([], range(20))
    for item in task.items("train"):
        episode, rows = task.episode(item), customers.expert_rows([int(item.id)])
        prompt = episode.reset()
        for row in rows:
            assert prompt == row["prompt"]
            result = episode.step(Action((1,), torch.zeros(1), row["completion"]))
            assert isinstance(result, StepResult)
            prompt = result.observation
        assert result.terminated and result.feedback is not None
        assert result.feedback.rewards[customers.GOAL] == 1.0


def test_an_offer_that_nobody_wanted_is_shown_as_what_another_customer_asked_for():
    customer = customers.Counter()
    first, _ = customer.begin(Errand({"thing": "rope", "place": "attic"}, told=("thing",)))
    second, *_ = customer.step("A rope in the barn.")
    achieved = customer.achieved([(first, "A rope in the barn.", second)])
    assert achieved == [[*customers.BRIEF, {"role": "user", "content": "I want a rope in the barn."}]]


@pytest.mark.parametrize("application", APPLICATIONS, ids=lambda each: each.name)
def test_each_application_has_the_ways_that_a_claim_needs(application: Application):
    names = [way.name for way in application.ways]
    assert len(set(names)) == len(names)
    roles = [way.role for way in application.ways]
    assert {Role.BASE, Role.PLAIN, Role.HINDSIGHT} <= set(roles)
    if application.is_counted:
        assert roles.count(Role.HINDSIGHT) >= 3
        assert roles.count(Role.CONTROL) == 3


@pytest.mark.parametrize("application", APPLICATIONS, ids=lambda each: each.name)
def test_the_tenfold_size_has_all_ways_and_ten_times_the_attempts(application: Application):
    large = application.tenfold()
    assert large.attempts == 10 * application.attempts
    assert [way.name for way in large.ways] == [way.name for way in application.ways]
    assert all(len(way.rates) == 1 for way in large.ways)


@pytest.mark.parametrize("name", sorted({way.name for each in APPLICATIONS for way in each.ways if way.is_trained}))
def test_the_settings_of_each_way_exist(name: str):
    way = next(way for each in APPLICATIONS for way in each.ways if way.name == name)
    change_config(find_preset("sentiment").config, {**SHARED, **way.settings})


def test_ifeval_is_judged_by_the_public_checkers(shared_data: Path):
    try:
        task = IFEvalTask(shared_data)
    except ConfigError as error:
        pytest.skip(str(error))
    items = {item.id: item for item in task.items("test")}
    assert len(items) == 541
    judged = task.judge(items["1001"], "Thou shalt see Kyoto")  # no commas are allowed
    assert (judged.reward, judged.success) == (1.0, True)
    judged = task.judge(items["1000"], "*one* and *two* and *three*")  # also three marks, and 300 words
    assert (judged.reward, judged.rewards["instructions"]) == (0.0, pytest.approx(2 / 3))
    assert task.judge(items["1001"], "  ").reward == 0.0
