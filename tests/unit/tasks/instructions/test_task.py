"""The task: its splits, what it rewards, and the prompts in hindsight."""

from __future__ import annotations

from typing import Any

import pytest

from backsight.errors import ConfigError, DataError
from backsight.tasks.base import Item
from backsight.tasks.instructions.kinds import HELD_OUT_KINDS, KINDS
from backsight.tasks.instructions.length import AtMostWords
from backsight.tasks.instructions.marks import NoCommas, Quoted
from backsight.tasks.instructions.task import InstructionsTask
from backsight.tasks.instructions.topics import HELD_OUT_TOPICS
from backsight.tasks.instructions.wording import Keyword
from backsight.types import Observation

ASKED = (Keyword(0, "tea"), NoCommas(0), AtMostWords(0, 10))
ITEM = Item("1", "prompt", columns={"request": "Describe a cup of tea.", "constraints": ASKED})


def test_splits_differ_in_what_they_are_named_for() -> None:
    task = InstructionsTask(eval_items=60)
    kinds = {
        split: {type(each) for item in task.items(split)[:60] for each in item.columns["constraints"]}
        for split in task.eval_splits
    }
    assert kinds["in_domain"] == kinds["topics"] == set(KINDS)
    assert kinds["kinds"] == set(HELD_OUT_KINDS)
    assert {len(item.columns["constraints"]) for item in task.items("more")} == {5}
    assert {len(item.columns["constraints"]) for item in task.items("kinds")} == {3}
    for split in ("train", *task.eval_splits):
        is_new = [any(topic in item.columns["request"] for topic in HELD_OUT_TOPICS) for item in task.items(split)[:60]]
        assert all(is_new) if split == "topics" else not all(is_new)
    trained = {item.columns["request"] for item in task.items("train")[:1000]}
    assert not trained & {
        item.columns["request"] for split in ("in_domain", "kinds", "more") for item in task.items(split)
    }


def test_items_are_the_same_whenever_they_are_asked_for() -> None:
    one, two = InstructionsTask(), InstructionsTask()
    assert one.items("train")[999_999] == two.items("train")[999_999]
    assert len(one.items("more")) == 500
    with pytest.raises(DataError, match=r"^split: kind: did you mean 'kinds'\?$"):
        one.items("kind")


def test_a_prompt_is_the_request_and_its_constraints() -> None:
    item = InstructionsTask(num_constraints=2).items("train")[5]
    assert item.prompt == " ".join([item.columns["request"], *map(str, item.columns["constraints"])])


@pytest.mark.parametrize(
    ("answer", "success", "share"),
    [("I like hot tea.", 1.0, 1.0), ("I like hot milk.", 0.0, 2 / 3), ("Well, milk.", 0.0, 1 / 3), ("", 0.0, 0.0)],
)
def test_all_have_to_hold_or_their_share_is_the_reward(answer: str, success: float, share: float) -> None:
    feedback = InstructionsTask().judge(ITEM, answer)
    assert (feedback.reward, feedback.success) == (success, bool(success))
    assert feedback.rewards["success"] == success
    assert feedback.rewards["constraints"] == feedback.achieved_share == pytest.approx(share)
    dense = InstructionsTask(reward="constraints").judge(ITEM, answer)
    assert (dense.reward, dense.success) == (pytest.approx(share), bool(success))


def test_what_was_not_done_is_said() -> None:
    assert InstructionsTask().judge(ITEM, "Well, tea.").text == "This was not done: Do not use any commas."
    assert InstructionsTask().judge(ITEM, "Hot tea.").text is None


def test_an_answer_that_cheats_shows_it() -> None:
    honest = InstructionsTask().judge(ITEM, "I like hot tea.").rewards
    cheat = InstructionsTask().judge(ITEM, '"tea tea tea tea"').rewards
    assert honest["success"] == cheat["success"] == 1.0
    assert (honest["words"], honest["distinct"], honest["unrepeated"], honest["plain"]) == (4.0, 1.0, 1.0, 1.0)
    assert (cheat["words"], cheat["distinct"], cheat["plain"]) == (4.0, 0.25, 0.0)
    assert cheat["unrepeated"] == pytest.approx(1 / 3)
    asked = Item("1", "prompt", columns={"request": "", "constraints": (Quoted(0),)})
    assert InstructionsTask().judge(asked, '"Tea"').rewards["plain"] == 1.0


def test_a_failure_is_asked_for_in_hindsight_in_the_form_of_the_task() -> None:
    class Loud(InstructionsTask):
        def _prompt(self, text: str) -> Observation:
            return text.upper()

    answer = "I like hot milk in the morning."
    prompt = InstructionsTask().relabel_prompt(ITEM, answer, seed=1)
    assert isinstance(prompt, str)
    assert prompt.startswith("Describe a cup of tea. ") and "Do not use any commas." in prompt and "'tea'" not in prompt
    assert Loud().relabel_prompt(ITEM, answer, seed=1) == prompt.upper()
    assert Loud().items("train")[0].prompt == str(InstructionsTask().items("train")[0].prompt).upper()
    assert InstructionsTask().relabel_prompt(ITEM, "milk milk milk milk.", seed=1) is None


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"num_constraints": 0}, "^num_constraints: 0: choose 1 to 6"),
        ({"num_more": 7}, "^num_more: 7: choose 1 to 6"),
        ({"reward": "plain"}, "^reward: plain: choose 'success'"),
    ],
)
def test_settings_that_do_not_fit_are_named(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        InstructionsTask(**settings)
