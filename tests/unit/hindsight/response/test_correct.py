"""Corrections of attempts, imitated."""

from unit.hindsight.fakes import ROOM, attempt, group_of, keys_of, make_rows, values

from backsight.hindsight.response.options import CorrectOptions
from backsight.types import AttemptKey, Feedback


def corrected(text: str | None) -> Feedback:
    return Feedback(reward=0.0, success=False, correction=text)


def test_a_correction_is_imitated_at_the_prompt_of_its_attempt() -> None:
    wrong, right = attempt((1, 2), corrected("fix")), attempt((3,), Feedback(reward=1.0, success=True))
    (row,) = make_rows(CorrectOptions(), group_of(wrong, right))
    assert (row.prompts, row.responses) == (wrong.prompts, (tuple(map(ord, "fix")),))
    assert values(row.imitation_weights) == [1.0] * 3 and keys_of([row]) == [AttemptKey(0, 0)]
    assert row.advantages is None and row.behaviour_log_probs is None


def test_the_same_correction_of_siblings_counts_once() -> None:
    group = group_of(*(attempt((number,), corrected(text)) for number, text in enumerate(["a", "b", "a", None])))
    assert [row.responses for row in make_rows(CorrectOptions(), group)] == [((ord("a"),),), ((ord("b"),),)]


def test_the_weight_is_that_of_the_rows() -> None:
    (row,) = make_rows(CorrectOptions(imitation_weight=0.5), group_of(attempt((1,), corrected("a"))))
    assert row.weight == 0.5


def test_a_correction_without_room_is_left_out() -> None:
    assert make_rows(CorrectOptions(), group_of(attempt((1,), corrected("x" * (ROOM + 1))))) == []
