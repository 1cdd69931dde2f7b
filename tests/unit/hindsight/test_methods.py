"""Each method on a group made by hand."""

from dataclasses import replace

import pytest
import torch

from backsight.errors import DataError
from backsight.hindsight.base import Hindsight
from backsight.hindsight.catalogue import build
from backsight.hindsight.config import OutcomeConfig, RelabelConfig, SupervisedConfig
from backsight.hindsight.outcome import Outcome
from backsight.hindsight.relabel import Relabel
from backsight.hindsight.supervised import Supervised
from backsight.tasks.base import Item
from backsight.types import Action, Feedback, Group, Step, Trajectory

ITEM = Item("1", "asked", " gold")


class Encoder:
    def encode(self, text: str) -> tuple[int, ...]:
        return tuple(map(ord, text))


def attempt(tokens: tuple[int, ...], feedback: Feedback) -> Trajectory:
    action = Action(tokens, torch.arange(len(tokens)) * -0.1, text="text")
    return Trajectory(ITEM, (Step("asked", action, terminated=True),), feedback)


def group(*feedback: Feedback) -> Group:
    attempts = tuple(attempt((7, 8, 9, 10)[: number + 1], each) for number, each in enumerate(feedback))
    return Group(ITEM, attempts, tuple(torch.tensor([float(number + 1)]) for number in range(len(attempts))))


FAILED = Feedback(reward=0.0, success=False, achieved_goal=("achieved",))
UNUSABLE = Feedback(reward=0.0, success=False)
SUCCESS = Feedback(reward=1.0, success=True)


def test_outcome_spreads_the_advantage_over_the_tokens() -> None:
    examples = Outcome()(group(FAILED, SUCCESS), Encoder())
    assert [each.advantages.tolist() for each in examples if each.advantages is not None] == [[1.0], [2.0, 2.0]]
    assert examples[1].behaviour_log_probs is not None
    assert examples[1].behaviour_log_probs.tolist() == pytest.approx([0.0, -0.1])
    assert all(each.imitation_weights is None and each.prompts == ("asked",) for each in examples)


def test_relabel_adds_what_was_achieved_and_says_that_it_is_off_policy() -> None:
    examples = Relabel(imitation_weight=0.5)(group(FAILED, UNUSABLE), Encoder())
    assert [each.method for each in examples] == ["outcome", "outcome", "relabel"]
    relabelled = examples[2]
    assert relabelled.prompts == ("achieved",) and relabelled.weight == 0.5
    assert relabelled.responses == ((7,),)
    assert relabelled.behaviour_log_probs is None and relabelled.advantages is None
    assert relabelled.imitation_weights is not None and relabelled.imitation_weights.tolist() == [1.0]
    assert relabelled.trajectory is not None and relabelled.trajectory.feedback is FAILED


def test_relabel_learns_from_a_group_in_which_everything_failed() -> None:
    examples = Relabel()(group(FAILED, FAILED), Encoder())
    assert sum(each.imitation_weights is not None for each in examples) == 2


def test_a_success_is_imitated_under_what_was_asked() -> None:
    (example,) = Relabel(outcome_weight=0.0)(group(SUCCESS), Encoder())
    assert example.prompts == ("asked",) and example.imitation_weights is not None


def test_the_policy_gradient_can_weigh_less_or_nothing() -> None:
    halved = Relabel(outcome_weight=0.5)(group(FAILED), Encoder())
    assert [each.weight for each in halved] == [0.5, 1.0]
    assert [each.method for each in Relabel(outcome_weight=0.0)(group(FAILED), Encoder())] == ["relabel"]


def test_those_that_achieved_most_of_what_was_asked_are_replayed_first() -> None:
    shares = [replace(FAILED, achieved_share=share) for share in (0.25, 0.75, 0.5)]
    examples = Relabel(outcome_weight=0.0, max_replays=2)(group(*shares), Encoder())
    assert [len(each.responses[0]) for each in examples] == [2, 3]
    with_success = Relabel(outcome_weight=0.0, max_replays=1)(group(*shares, SUCCESS), Encoder())
    assert with_success[0].prompts == ("asked",)


def test_several_steps_are_one_example() -> None:
    steps = tuple(Step(name, Action((1, 2), torch.zeros(2))) for name in ("first", "second"))
    trajectory = Trajectory(None, steps, Feedback(achieved_goal=("other first", "other second")))
    whole = Group(None, (trajectory,), (torch.tensor([3.0, 5.0]),))
    outcome, relabelled = Relabel()(whole, Encoder())
    assert outcome.advantages is not None and outcome.advantages.tolist() == [3.0, 3.0, 5.0, 5.0]
    assert relabelled.prompts == ("other first", "other second") and relabelled.num_decisions == 4


def test_supervised_imitates_the_gold_answer_without_any_rollout() -> None:
    method = Supervised()
    (example,) = method(Group(ITEM), Encoder())
    assert not method.needs_rollouts
    assert example.responses == (tuple(map(ord, " gold")),)
    assert example.imitation_weights is not None and example.imitation_weights.tolist() == [1.0] * 5


def test_supervised_names_the_row_without_a_gold_answer() -> None:
    with pytest.raises(DataError, match="17.target"):
        Supervised()(Group(Item("17", "asked")), Encoder())


@pytest.mark.parametrize("method", [Outcome(), Relabel()])
def test_an_empty_group_teaches_nothing(method: Hindsight) -> None:
    assert list(method(Group(ITEM), Encoder())) == []


def test_settings_name_the_method() -> None:
    assert isinstance(build(OutcomeConfig()), Outcome)
    assert isinstance(build(SupervisedConfig()), Supervised)
    relabel = build(RelabelConfig(outcome_weight=0.25, max_replays=3))
    assert isinstance(relabel, Relabel) and (relabel.outcome_weight, relabel.max_replays) == (0.25, 3)
