"""Credit among the turns of an episode leaves what is to be learnt where it is."""

import copy
from typing import Any

import pytest
from tiny_models import learner
from toy_tasks import WORDS, SayWord, greedy_score

from backsight.environments.episodes import EpisodesTask
from backsight.hindsight.advantage.options import TurnSightOptions
from backsight.hindsight.options import MethodOptions, OutcomeOptions
from backsight.hindsight.response.options import SupervisedOptions
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.rollouts.engines import engine_for
from backsight.tasks.base import Item, Task
from backsight.training.config import StopConfig, TrainingConfig
from backsight.training.trainer import EpisodeSource, Trainer


class TwoWords:
    """Say red, and then blue; after the first word one hears whether it was the right one."""

    def reset(self, seed: int) -> tuple[str, dict[str, Any]]:
        self.said: list[str] = []
        return "say", {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.said.append(action)
        is_over = len(self.said) == 2
        reward = float(self.said == [" red", " blue"])
        return "yes" if action == " red" else "no", reward, is_over, False, {"success": bool(reward)}


class SayAnyWord(SayWord):
    """Any of the words, whatever is observed: where the episodes start from."""

    def items(self, split: str) -> list[Item]:
        return [Item(f"{prompt} {word}", prompt, f" {word}") for prompt in ("say", "yes", "no") for word in WORDS]


def learn(policy: CausalLMPolicy, task: Task, method: MethodOptions, num_steps: int) -> TrainingConfig:
    config = TrainingConfig(
        learning_rate=2e-3, prompts_per_step=12, max_completion_length=2, stop=StopConfig(max_steps=num_steps)
    )
    source = EpisodeSource(engine_for(policy), task.episode, task.items("train"), task.feedback())
    Trainer(policy, source, method.build(), config).train()
    return config


@pytest.fixture(scope="module")
def warm() -> CausalLMPolicy:
    policy = learner(WORDS)
    learn(policy, SayAnyWord(), SupervisedOptions(), 30)
    return policy


@pytest.mark.parametrize("method", [OutcomeOptions(), TurnSightOptions()], ids=lambda each: each.label)
def test_two_words_are_learnt_in_their_order(method: MethodOptions, warm: CausalLMPolicy) -> None:
    policy = copy.deepcopy(warm)
    task = EpisodesTask(TwoWords, seeds={"train": range(100), "test": [100]}, max_turns=2, memory=0)
    config = learn(policy, task, method, 30)
    assert greedy_score(engine_for(policy), task, config.sampling) == 1.0
