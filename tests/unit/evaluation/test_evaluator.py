from collections.abc import Sequence

import pytest
import torch
from tiny_models import tiny_policy
from toy_tasks import WORDS, GoalString

from backsight.errors import ConfigError, DataError, ModelError
from backsight.evaluation.agreement import sampler_learner_difference
from backsight.evaluation.evaluator import Scores, evaluate_split
from backsight.evaluation.fluency import fluency
from backsight.evaluation.statistics import estimate
from backsight.feedback.reward_functions import RewardFunctions
from backsight.feedback.verifier import TaskVerifier
from backsight.rollouts.local import LocalEngine
from backsight.tasks.base import Item
from backsight.training.config import StopConfig, TrainingConfig
from backsight.types import Action, Example, Feedback, Sampling, Step, Trajectory


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


def test_several_samples_are_drawn_and_averaged_by_item() -> None:
    policy, task = tiny_policy(words=WORDS), GoalString(1)

    def letters(completions: list[str]) -> list[float]:
        return [float(len(completion)) for completion in completions]

    def scores(num_samples: int) -> Scores:
        engine, sampling = LocalEngine(policy), Sampling(max_completion_length=4)
        items = task.items("test")
        return evaluate_split(engine, RewardFunctions([letters]), items, sampling, "test", num_samples=num_samples)

    sampled = scores(6)
    assert [[each.start.id for each in own] for own in sampled.attempts] == [[str(item)] * 6 for item in range(4)]
    lengths = [[len(each.steps[-1].action.text or "") for each in own] for own in sampled.attempts]
    assert any(len(set(own)) > 1 for own in lengths)
    means = [pytest.approx(sum(own) / 6) for own in lengths]
    assert sampled.item_rewards == {"reward": means, "letters": means}
    assert sampled.reward == estimate([sum(own) / 6 for own in lengths])
    assert sampled.reward == scores(6).reward, "the same draws each time"
    assert [len(own) for own in scores(1).attempts] == [1] * 4
    with pytest.raises(ConfigError, match="num_samples: 0"):
        scores(0)


def test_a_metric_of_a_split_has_an_interval_and_no_items() -> None:
    policy, task = tiny_policy(words=WORDS), GoalString(1)

    def number_of_letters(items: Sequence[Item], completions: Sequence[str]) -> dict[str, float]:
        assert len(items) == len(completions) == 4 * 3
        assert [item.id for item in items[::3]] == [item.id for item in items[2::3]], "an item's attempts stay together"
        return {"letters": float(sum(map(len, completions)))}

    scores = evaluate_split(
        LocalEngine(policy),
        TaskVerifier(task),
        task.items("test"),
        Sampling(max_completion_length=4),
        "test",
        num_samples=3,
        split_metrics=number_of_letters,
    )
    letters = scores.rewards["letters"]
    assert letters.mean == sum(len(each.steps[-1].action.text or "") for each in scores.trajectories)
    assert letters.low < letters.mean < letters.high and letters.count == 4
    assert set(scores.item_rewards) == {"reward", "right"} and set(scores.split_metrics) == {"letters"}


def test_an_item_without_a_named_reward_has_no_score() -> None:
    step = Step("", Action((1,), torch.zeros(1), "x"))
    attempts = [
        Trajectory(None, (step,), Feedback(rewards=rewards, reward=1.0))
        for rewards in ({"a": 1.0}, {"a": 0.0}, {}, {}, {"a": 1.0}, {})
    ]
    scores = Scores(estimate([1.0] * 3), {"a": estimate([0.5, 1.0])}, tuple(attempts), num_samples=2)
    assert scores.item_rewards == {"reward": [1.0, 1.0, 1.0], "a": [0.5, None, 1.0]}


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
