import pytest
import torch
from tiny_models import tiny_policy
from toy_tasks import WORDS, GoalString

from backsight.errors import DataError, ModelError
from backsight.evaluation.agreement import sampler_learner_difference
from backsight.evaluation.evaluator import evaluate_split
from backsight.evaluation.fluency import fluency
from backsight.feedback.verifier import TaskVerifier
from backsight.rollouts.local import LocalEngine
from backsight.training.config import StopConfig, TrainingConfig
from backsight.types import Action, Example, Sampling, Step, Trajectory


def test_an_empty_split_is_named() -> None:
    policy = tiny_policy(words=WORDS)
    with pytest.raises(DataError, match="ood"):
        evaluate_split(LocalEngine(policy), TaskVerifier(GoalString(1)), [], Sampling(), "ood")


def test_scores_are_means_over_items() -> None:
    policy, task = tiny_policy(words=WORDS), GoalString(1)
    scores = evaluate_split(
        LocalEngine(policy), TaskVerifier(task), task.items("test"), Sampling(max_completion_length=2), "test"
    )
    right = [each.steps[-1].action.text == each.start.target for each in scores.trajectories]
    assert scores.reward.mean == pytest.approx(sum(right) / len(right))
    assert scores.rewards["right"].count == len(task.items("test"))


def test_disagreeing_sampler_and_learner_are_found() -> None:
    class Drifted(LocalEngine):
        """An engine that was never told of an update."""

    config = TrainingConfig(stop=StopConfig(max_steps=1), max_completion_length=4)
    policy, task = tiny_policy(words=WORDS), GoalString(1)
    assert sampler_learner_difference(policy, LocalEngine(policy), task, config) < 1e-4
    with pytest.raises(ModelError, match="disagree"):
        sampler_learner_difference(policy, Drifted(tiny_policy(words=WORDS, seed=1)), task, config)


def test_fluency_by_hand() -> None:
    policy = tiny_policy(words=WORDS)
    tokens = [policy.encode(text) for text in (" red", " red", " blue gold")]
    attempts = [
        Trajectory(None, (Step("", Action(each, torch.zeros(len(each)), policy.decode(each))),)) for each in tokens
    ]
    looked = fluency(policy, attempts, lambda text: text == "red")
    assert looked.distinct == pytest.approx(2 / 3)
    assert looked.malformed.mean == pytest.approx(1 / 3)
    alone = [policy.log_probs([Example(("",), (each,), "x", torch.zeros(len(each)))]).log_probs_N for each in tokens]
    expected = sum(float(each.detach().mean()) for each in alone) / 3
    assert looked.log_likelihood.mean == pytest.approx(expected, abs=1e-5)
