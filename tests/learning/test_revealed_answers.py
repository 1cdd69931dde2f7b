"""Right answers that are revealed afterwards teach what attempts alone do not; so do logs, without any attempt."""

from collections.abc import Sequence

from tiny_models import learner
from toy_tasks import WORDS, GoalString, SayWord, greedy_score

from backsight.hindsight.options import MethodOptions, OutcomeOptions
from backsight.hindsight.response.options import GoldAnchorOptions, RecordedOptions
from backsight.rollouts.engines import engine_for
from backsight.tasks.base import Item, PromptTask
from backsight.training.config import StopConfig, TrainingConfig
from backsight.training.trainer import EpisodeSource, Trainer


class Answered(SayWord):
    """Logs of the same bandit: each word was said, and one was liked."""

    def items(self, split: str) -> Sequence[Item]:
        if split == "test":
            return super().items(split)
        columns = [{"reward": float(word == "blue"), "reward_mean": 1 / len(WORDS)} for word in WORDS]
        return [Item(word, "say", f" {word}", each) for word, each in zip(WORDS, columns, strict=True)]


def score_after(method: MethodOptions, task: PromptTask, num_steps: int) -> float:
    """Of greedy answers, by a policy that had learnt nothing before."""
    policy = learner(WORDS)
    engine = engine_for(policy)
    config = TrainingConfig(
        algorithm="dr_grpo",
        learning_rate=3e-3,
        num_generations=4,
        prompts_per_step=8,
        max_completion_length=4,
        stop=StopConfig(max_steps=num_steps),
    )
    source = EpisodeSource(engine, task.episode, task.items("train"), task.feedback())
    Trainer(policy, source, method.build(), config).train()
    return greedy_score(engine, task, config.sampling)


def test_gold_answers_teach_where_every_attempt_fails() -> None:
    assert score_after(OutcomeOptions(), GoalString(2), 5) == 0.0
    assert score_after(GoldAnchorOptions(), GoalString(2), 40) >= 0.9


def test_what_was_liked_in_logs_is_said() -> None:
    assert score_after(RecordedOptions(), Answered(), 15) == 1.0
