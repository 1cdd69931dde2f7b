"""An adapter learns a toy task, and leaves the rest of the model as it was."""

import torch
from tiny_models import learner
from toy_tasks import WORDS, SayWord, greedy_score

from backsight.hindsight.options import OutcomeOptions
from backsight.hindsight.response.options import SupervisedOptions
from backsight.policies import adapters
from backsight.policies.config import AdapterConfig
from backsight.rollouts.engines import engine_for
from backsight.tasks.base import Item
from backsight.training.config import StopConfig, TrainingConfig
from backsight.training.trainer import EpisodeSource, Trainer


class SayAnyWord(SayWord):
    def items(self, split: str) -> list[Item]:
        return [Item(word, "say", f" {word}") for word in WORDS]


def test_lora_solves_a_bandit() -> None:
    """All weights learn to say one of the words, the adapter which of them."""
    policy, task = learner(WORDS), SayWord()
    engine = engine_for(policy)
    shared = {"prompts_per_step": 4, "num_generations": 8, "max_completion_length": 2}
    warm_up = TrainingConfig(learning_rate=2e-3, stop=StopConfig(max_steps=25), **shared)
    source = EpisodeSource(engine, task.episode, SayAnyWord().items("train"), task.feedback())
    Trainer(policy, source, SupervisedOptions().build(), warm_up).train()
    adapters.put_on(policy.model, AdapterConfig(r=4, lora_alpha=8))
    base = policy.model.model.embed_tokens.weight.clone()
    config = TrainingConfig(learning_rate=1e-2, beta=0.01, stop=StopConfig(max_steps=25), **shared)
    assert greedy_score(engine, task, config.sampling) < 1.0
    source = EpisodeSource(engine, task.episode, task.items("train"), task.feedback())
    Trainer(policy, source, OutcomeOptions().build(), config).train()
    assert greedy_score(engine, task, config.sampling) == 1.0
    assert torch.equal(policy.model.model.embed_tokens.weight, base)
