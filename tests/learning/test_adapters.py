"""An adapter learns a toy task, and leaves the rest of the model as it was."""

import torch
from tiny_models import learner
from toy_tasks import WORDS, SayWord

from backsight.environments.single_turn import SingleTurn
from backsight.evaluation.evaluator import evaluate_split
from backsight.feedback.verifier import TaskVerifier
from backsight.hindsight.outcome import Outcome
from backsight.hindsight.supervised import Supervised
from backsight.policies import adapters
from backsight.policies.config import AdapterConfig
from backsight.rollouts.local import LocalEngine
from backsight.tasks.base import Item
from backsight.training.config import StopConfig, TrainingConfig
from backsight.training.trainer import Experience, Trainer


class SayAnyWord(SayWord):
    def items(self, split: str) -> list[Item]:
        return [Item(word, "say", f" {word}") for word in WORDS]


def test_lora_solves_a_bandit() -> None:
    """All weights learn to say one of the words, the adapter which of them."""
    policy, task = learner(WORDS), SayWord()
    engine, judge = LocalEngine(policy), TaskVerifier(task)
    shared = {"prompts_per_step": 4, "num_generations": 8, "max_completion_length": 2}
    warm_up = TrainingConfig(learning_rate=2e-3, stop=StopConfig(max_steps=25), **shared)
    source = Experience(engine, SingleTurn, SayAnyWord().items("train"), judge)
    Trainer(policy, source, Supervised(), warm_up).train()
    adapters.put_on(policy.model, AdapterConfig(r=4, lora_alpha=8))
    base = policy.model.model.embed_tokens.weight.clone()
    config = TrainingConfig(learning_rate=1e-2, beta=0.01, stop=StopConfig(max_steps=25), **shared)
    assert evaluate_split(engine, judge, task.items("test"), config.sampling, "test").reward.mean < 1.0
    Trainer(policy, Experience(engine, SingleTurn, task.items("train"), judge), Outcome(), config).train()
    assert evaluate_split(engine, judge, task.items("test"), config.sampling, "test").reward.mean == 1.0
    assert torch.equal(policy.model.model.embed_tokens.weight, base)
