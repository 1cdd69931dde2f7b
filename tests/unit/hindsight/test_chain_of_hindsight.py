"""A good answer behind a worse one."""

from dataclasses import replace

import pytest
from unit.hindsight.fakes import FakeScorer, attempt, group_of

from backsight.errors import DataError
from backsight.hindsight.chain_of_hindsight import ChainOfHindsight
from backsight.types import Example, Feedback, Group, Trajectory


def answer(text: str | None, reward: float) -> Trajectory:
    return attempt(tuple(map(ord, text or "?")), Feedback(reward=reward), text=text)


def looked_back(*groups: Group, method: ChainOfHindsight | None = None) -> list[Example]:
    return (method or ChainOfHindsight())(groups, FakeScorer())


def prompts(examples: list[Example]) -> list[str]:
    return [each.prompts[0] for each in examples]


def test_the_best_is_imitated_behind_the_worst_and_under_what_was_asked() -> None:
    chained, plain = looked_back(group_of(answer(" fair", 0.5), answer(" good", 1), answer(" bad", 0)))
    assert chained.prompts == ("asked An unhelpful answer: bad A helpful answer:",)
    assert plain.prompts == ("asked",)
    for row in (chained, plain):
        assert row.responses == (tuple(map(ord, " good")),)
        assert row.imitation_weights is not None and row.imitation_weights.tolist() == [1.0] * 5
        assert row.behaviour_log_probs is None and row.advantages is None


def test_several_best_ones_have_the_worse_ones_in_turn() -> None:
    whole = group_of(answer("a", 0), answer("b", 0.5), *(answer(text, 1) for text in "xyz"))
    rows = looked_back(whole, method=ChainOfHindsight(worse="-", better="+", plain_weight=0.0))
    assert prompts(rows) == ["asked-a+", "asked-b+", "asked-a+"]
    assert [each.responses[0] for each in rows] == [(ord(text),) for text in "xyz"]


def test_the_same_text_is_no_contrast() -> None:
    assert looked_back(group_of(answer("same ", 0), answer(" same", 1))) == []


def test_a_row_beside_the_policy_gradient_is_one_with_it() -> None:
    rows = looked_back(group_of(answer("a", 0), answer("b", 1)), method=ChainOfHindsight(1.0, 1.0, 0.5))
    assert [each.method for each in rows] == ["outcome", "outcome+chain_of_hindsight", "chain_of_hindsight"]
    assert rows[1].imitation_weights is not None and rows[1].imitation_weights.tolist() == [0.5]


@pytest.mark.parametrize(
    "groups",
    [[], [Group("start")], [group_of(answer("a", 1))], [group_of(answer("a", 0), answer("b", 0))]],
    ids=["no group", "no attempt", "lone success", "all failed"],
)
def test_where_nobody_did_better_there_is_nothing_to_say(groups: list[Group]) -> None:
    assert looked_back(*groups) == []


def test_chat_messages_are_told_in_the_users_words() -> None:
    chat = [{"role": "user", "content": "asked"}]
    whole = group_of(*(replace_prompt(answer(text, reward), chat) for text, reward in (("a", 0), ("b", 1))))
    content = looked_back(whole)[0].prompts[0][0]["content"]
    assert content == "asked An unhelpful answer: a A helpful answer:"


def replace_prompt(trajectory: Trajectory, prompt: list[dict[str, str]]) -> Trajectory:
    return replace(trajectory, steps=(replace(trajectory.steps[0], observation=prompt),))


def test_what_is_no_single_answer_is_refused() -> None:
    silent = group_of(answer(None, 0), answer(None, 1))
    long = answer("a", 0)
    several = group_of(replace(long, steps=long.steps * 2), answer("b", 1))
    for whole in (silent, several):
        with pytest.raises(DataError, match="needs a single answer in words"):
            looked_back(whole)
