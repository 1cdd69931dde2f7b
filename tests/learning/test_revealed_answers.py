"""Right answers that are revealed afterwards teach what attempts alone do not; so do logs, without any attempt."""

from collections.abc import Sequence

from tiny_models import learner
from toy_tasks import WORDS, GoalString, SayWord

from backsight.environments.single_turn import SingleTurn
from backsight.evaluation.evaluator import evaluate_split
from backsight.feedback.verifier import TaskVerifier
from backsight.hindsight.base import Hindsight
from backsight.hindsight.gold_anchor import GoldAnchor
from backsight.hindsight.outcome import Outcome
from backsight.hindsight.recorded import Recorded
from backsight.rollouts.local import LocalEngine
from backsight.tasks.base import Item, Task
from backsight.training.config import StopConfig, TrainingConfig
from backsight.training.trainer import Experience, Trainer


class Answered(SayWord):
    """Logs of the same bandit: each word was said, and one was liked."""

    def items(self, split: str) -> Sequence[Item]:
        if split == "test":
            return super().items(split)
        columns = [{"reward": float(word == "blue"), "reward_mean": 1 / len(WORDS)} for word in WORDS]
        return [Item(word, "say", f" {word}", each) for word, each in zip(WORDS, columns, strict=True)]


def score_after(method: Hindsight, task: Task, num_steps: int) -> float:
    """Of greedy answers, by a policy that had learnt nothing before."""
    policy = learner(WORDS)
    engine, judge = LocalEngine(policy), TaskVerifier(task)
    config = TrainingConfig(
        algorithm="dr_grpo",
        learning_rate=3e-3,
        num_generations=4,
        prompts_per_step=8,
        max_completion_length=4,
        stop=StopConfig(max_steps=num_steps),
    )
    Trainer(policy, Experience(engine, SingleTurn, task.items("train"), judge), method, config).train()
    return evaluate_split(engine, judge, task.items("test"), config.sampling, "test").reward.mean


def test_gold_answers_teach_where_every_attempt_fails() -> None:
    assert score_after(Outcome(), GoalString(2), 5) == 0.0
    assert score_after(GoldAnchor(), GoalString(2), 40) >= 0.9


def test_what_was_liked_in_logs_is_said() -> None:
    assert score_after(Recorded(), Answered(), 15) == 1.0
