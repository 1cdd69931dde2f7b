"""Methods together, and what a teacher is told."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from unit.hindsight.fakes import FakeScorer

from backsight.errors import ConfigError
from backsight.hindsight.base import Hindsight, Scorer, imitated_example, merged, on_policy_example
from backsight.hindsight.composition import Chain, Route, succeeded
from backsight.hindsight.hints import Hints
from backsight.hindsight.outcome import Outcome
from backsight.hindsight.self_distill import SelfDistill
from backsight.hindsight.srpo import SRPO
from backsight.hindsight.supervised import Supervised
from backsight.types import Action, Example, Feedback, Group, Step, Trajectory


def attempt(said: str, success: bool, **feedback: str) -> Trajectory:
    action = Action(tuple(range(len(said))), torch.zeros(len(said)) - 0.5, said)
    return Trajectory("start", (Step("ask", action, terminated=True),), Feedback(success=success, **feedback))


RIGHT, WRONG = attempt("yes", True), attempt("no", False)
GROUP = Group("start", (RIGHT, WRONG), (torch.ones(3), -torch.ones(2)))


class Doubled(Hindsight):
    """Thinks twice of everything."""

    def revalue(self, groups: Sequence[Group], scorer: Scorer) -> list[Group]:
        return [replace(each, advantages=tuple(2 * own for own in each.advantages)) for each in groups]


class Imitated(Hindsight):
    """Adds a row for each attempt, weighted by what it is thought to be worth."""

    def __init__(self, outcome_weight: float = 0.0) -> None:
        self.outcome_weight = outcome_weight

    def examples(self, groups: Sequence[Group], scorer: Scorer) -> list[Example]:
        return [
            replace(imitated_example(("other",), each.responses, "imitated", trajectory=each), weight=float(own[0]))
            for group in groups
            for each, own in zip(group.trajectories, group.advantages, strict=True)
        ]


def test_a_chain_is_sequence_and_union() -> None:
    examples = Chain([Doubled(), Imitated()])([GROUP], FakeScorer())
    assert [each.method for each in examples] == ["outcome", "outcome", "imitated", "imitated"]
    assert [each.advantages.tolist() for each in examples[:2] if each.advantages is not None] == [[2.0] * 3, [-2.0] * 2]
    assert [each.weight for each in examples[2:]] == [2.0, -2.0]


def test_what_was_sampled_is_reinforced_once_and_only_if_a_member_wants_it() -> None:
    assert len(Chain([Outcome(), Imitated(1.0), Doubled()])([GROUP], FakeScorer())) == 4
    assert len(Chain([Imitated(), Imitated()])([GROUP], FakeScorer())) == 4
    assert Chain([Imitated(0.5), Imitated(0.25)]).outcome_weight == 0.5


def test_members_that_sample_and_members_that_do_not_cannot_be_one() -> None:
    with pytest.raises(ConfigError, match="Outcome, Supervised"):
        Chain([Outcome(), Supervised()])
    with pytest.raises(ConfigError, match="at least one"):
        Chain([])


def test_the_state_of_a_chain_is_that_of_its_members() -> None:
    class Counting(Hindsight):
        count = 0.0

        def state(self) -> dict[str, torch.Tensor]:
            return {"count": torch.tensor(self.count)}

        def load_state(self, state: dict[str, torch.Tensor]) -> None:  # type: ignore[override]
            self.count = float(state["count"])

    one, two = Counting(), Counting()
    one.count, two.count = 3.0, 4.0
    restored = Chain([Counting(), Outcome(), Counting()])
    restored.load_state(Chain([one, Outcome(), two]).state())
    assert [each.count for each in restored.members if isinstance(each, Counting)] == [3.0, 4.0]


def test_a_route_sends_each_attempt_one_way() -> None:
    examples = Route(succeeded, Outcome(), Imitated())([GROUP], FakeScorer())
    assert {(each.method, each.trajectory is RIGHT) for each in examples} == {("outcome", True), ("imitated", False)}


def test_srpo_reinforces_a_failure_of_which_nothing_is_known() -> None:
    lone = Group("start", (WRONG,), (-torch.ones(2),))
    (example,) = SRPO()([lone], FakeScorer())
    assert example.advantages is not None and example.teacher_weights is None
    told, kept = sorted(SRPO()([GROUP], FakeScorer()), key=lambda each: each.trajectory is RIGHT)
    assert told.teacher_prompts == ("A correct answer: yes\nask",) and told.advantages is None
    assert kept.advantages is not None and kept.teacher_prompts is None


def test_rows_of_one_attempt_become_one() -> None:
    sampled = on_policy_example(RIGHT, torch.ones(3), 0.5)
    taught = replace(sampled, advantages=None, teacher_prompts=("t",), teacher_weights=torch.ones(3), weight=2.0)
    (both,) = merged([sampled, replace(taught, method="self_distill")])
    assert both.advantages is not None and both.advantages.tolist() == [0.5] * 3 and both.weight == 1.0
    assert both.teacher_weights is not None and both.teacher_weights.tolist() == [2.0] * 3
    assert both.method == "outcome+self_distill" and both.behaviour_log_probs is not None
    assert len(merged([sampled, sampled])) == 2  # both want the advantage: two rows, as asked
    other = imitated_example(("other",), RIGHT.responses, "imitated", trajectory=RIGHT)
    assert len(merged([sampled, other])) == 2
    assert len(merged([imitated_example(("p",), ((1,),), "a"), imitated_example(("p",), ((1,),), "a")])) == 2


def test_the_teacher_is_told_the_best_that_is_known() -> None:
    hints = Hints()
    told = [
        attempt("no", False, text="look again", outcome="it broke", correction="yes"),
        attempt("no", False, text="look again", outcome="it broke"),
        attempt("no", False, outcome="it broke"),
        attempt("no", False),
    ]
    lone = [hints.hint(each, Group("start", (each,))) for each in told]
    assert lone == [
        "A correct answer: yes",
        "What was said of an earlier answer: look again",
        "What came of an earlier answer: it broke",
        None,
    ]
    assert hints.hint(told[1], Group("start", (told[1], RIGHT))) == "A correct answer: yes"
    assert hints.hint(RIGHT, GROUP) is None  # never one's own
    assert Hints(introduce=False).hint(told[1], Group("start", (told[1],))) == "look again"


def test_a_hint_goes_into_the_last_message_of_the_user_and_cannot_move_places() -> None:
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    assert Hints().with_text(messages, "h") == [{"role": "user", "content": "h\na"}, messages[1]]
    assert Hints().with_text([messages[1]], "h")[0] == {"role": "user", "content": "h"}
    assert Hints("{prompt} [{hint}]").with_text("{hint}", "{prompt}") == "{hint} [{prompt}]"
    with pytest.raises(ConfigError, match="has no {hint}"):
        Hints("{prompt}")


def test_self_distillation_listens_where_it_is_told_to() -> None:
    three = Group("start", (RIGHT, attempt("yes!", True), WRONG), tuple(map(torch.zeros, (3, 4, 2))))
    everywhere = SelfDistill()([three], FakeScorer())
    assert [each.num_decisions for each in everywhere] == [3, 4, 2] and all(
        each.advantages is None for each in everywhere
    )
    assert [each.num_decisions for each in SelfDistill(where="failures")([three], FakeScorer())] == [2]
    doubting = FakeScorer(teacher_log_prob=lambda exchange: torch.tensor([-0.1, -0.9]))
    (only,) = SelfDistill(where="less_likely")([GROUP], doubting)
    assert only.teacher_weights is not None and only.teacher_weights.tolist() == [0.0, 1.0]
