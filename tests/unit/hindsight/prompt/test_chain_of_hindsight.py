"""A good answer behind a worse one."""

from dataclasses import replace

import pytest
from unit.hindsight.fakes import attempt, group_of, make_rows

from backsight.errors import DataError
from backsight.hindsight.prompt.options import ChainOfHindsightOptions
from backsight.types import Example, Feedback, Group, Trajectory


def say(text: str | None, reward: float) -> Trajectory:
    return attempt(tuple(map(ord, text or "?")), Feedback(reward=reward), text=text)


def prompts(examples: list[Example]) -> list[str]:
    return [each.prompts[0] for each in examples]


def test_the_best_is_imitated_behind_the_worst_and_under_what_was_asked() -> None:
    chained, plain = make_rows(ChainOfHindsightOptions(), group_of(say(" fair", 0.5), say(" good", 1), say(" bad", 0)))
    assert chained.prompts == ("asked An unhelpful answer: bad A helpful answer:",)
    assert plain.prompts == ("asked",)
    for row in (chained, plain):
        assert row.responses == (tuple(map(ord, " good")),)
        assert row.imitation_weights is not None and row.imitation_weights.tolist() == [1.0] * 5
        assert row.behaviour_log_probs is None and row.advantages is None


def test_several_best_ones_have_the_worse_ones_in_turn() -> None:
    whole = group_of(say("a", 0), say("b", 0.5), *(say(text, 1) for text in "xyz"))
    rows = make_rows(ChainOfHindsightOptions(worse="-", better="+", plain_weight=0.0), whole)
    assert prompts(rows) == ["asked-a+", "asked-b+", "asked-a+"]
    assert [each.responses[0] for each in rows] == [(ord(text),) for text in "xyz"]


def test_the_same_text_is_no_contrast() -> None:
    assert make_rows(ChainOfHindsightOptions(), group_of(say("same ", 0), say(" same", 1))) == []


def test_a_row_beside_the_policy_gradient_is_one_with_it() -> None:
    options = ChainOfHindsightOptions(outcome_weight=1.0, imitation_weight=1.0, plain_weight=0.5)
    rows = make_rows(options, group_of(say("a", 0), say("b", 1)))
    assert [each.method for each in rows] == ["outcome", "outcome+chain_of_hindsight", "chain_of_hindsight"]
    assert rows[1].imitation_weights is not None and rows[1].imitation_weights.tolist() == [0.5]


@pytest.mark.parametrize(
    "groups",
    [[], [Group("start")], [group_of(say("a", 1))], [group_of(say("a", 0), say("b", 0))]],
    ids=["no group", "no attempt", "lone success", "all failed"],
)
def test_where_nobody_did_better_there_is_nothing_to_say(groups: list[Group]) -> None:
    assert make_rows(ChainOfHindsightOptions(), *groups) == []


def test_chat_messages_are_told_in_the_users_words() -> None:
    chat = [{"role": "user", "content": "asked"}]
    whole = group_of(*(replace_prompt(say(text, reward), chat) for text, reward in (("a", 0), ("b", 1))))
    content = make_rows(ChainOfHindsightOptions(), whole)[0].prompts[0][0]["content"]
    assert content == "asked An unhelpful answer: a A helpful answer:"


def replace_prompt(trajectory: Trajectory, prompt: list[dict[str, str]]) -> Trajectory:
    return replace(trajectory, steps=(replace(trajectory.steps[0], observation=prompt),))


def test_what_is_no_single_answer_is_refused() -> None:
    silent = group_of(say(None, 0), say(None, 1))
    long = say("a", 0)
    several = group_of(replace(long, steps=long.steps * 2), say("b", 1))
    for whole in (silent, several):
        with pytest.raises(DataError, match="needs a single answer in words"):
            make_rows(ChainOfHindsightOptions(), whole)


def test_an_answer_that_was_cut_off_is_no_example_to_follow() -> None:
    """To imitate it would teach never to end; as the worse answer it may serve."""
    best = say("longest", 2)
    cut = replace(best, steps=(replace(best.steps[0], truncated=True, terminated=False),))
    rows = make_rows(ChainOfHindsightOptions(plain_weight=0.0), group_of(say("a", 0), say("b", 1), cut))
    assert [each.responses for each in rows] == [((ord("b"),),)]
    assert make_rows(ChainOfHindsightOptions(), group_of(say("a", 0), cut)) == []
