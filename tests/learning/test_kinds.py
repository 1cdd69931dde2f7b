"""Encoder-decoders and classifiers learn their toys as well."""

import copy

import pytest
from tiny_models import learning_classifier, learning_seq2seq
from toy_tasks import WORDS, GoalString, SayWord, WhichWord, greedy_score

from backsight.hindsight.options import MethodOptions, OutcomeOptions
from backsight.hindsight.prompt.options import RelabelOptions
from backsight.hindsight.response.options import SupervisedOptions
from backsight.policies.seq2seq_lm import Seq2SeqLMPolicy
from backsight.policies.text import TextPolicy
from backsight.rollouts.engines import engine_for
from backsight.tasks.base import Item, PromptTask
from backsight.training.config import StopConfig, TrainingConfig
from backsight.training.trainer import EpisodeSource, Trainer


def learnt(policy: TextPolicy, task: PromptTask, method: MethodOptions, **settings: object) -> float:
    """The greedy score after training."""
    config = TrainingConfig(**{"learning_rate": 2e-3, "num_generations": 8, **settings})  # type: ignore[arg-type]
    engine = engine_for(policy)
    source = EpisodeSource(engine, task.episode, task.items("train"), task.feedback())
    Trainer(policy, source, method.build(), config).train()
    return greedy_score(engine, task, config.sampling)


class Babble(GoalString):
    """The same prompts with answers that have nothing to do with them: each word for each."""

    def items(self, split: str) -> list[Item]:
        return [Item(f"{item.id}/{word}", item.prompt, f" {word}") for item in super().items(split) for word in WORDS]


@pytest.fixture(scope="module")
def babbling() -> Seq2SeqLMPolicy:
    """An encoder-decoder that says one of the words, whatever it was asked."""
    policy = learning_seq2seq(WORDS)
    settings = {"prompts_per_step": 16, "max_completion_length": 2, "stop": StopConfig(max_steps=40)}
    learnt(policy, Babble(1), SupervisedOptions(), learning_rate=1e-2, **settings)
    return policy


def test_an_encoder_decoder_learns_from_what_it_achieved(babbling: Seq2SeqLMPolicy) -> None:
    settings = {"prompts_per_step": 8, "max_completion_length": 2, "stop": StopConfig(max_steps=100)}
    assert learnt(copy.deepcopy(babbling), GoalString(1), RelabelOptions(), learning_rate=5e-3, **settings) == 1.0


def test_an_encoder_decoder_solves_a_bandit(babbling: Seq2SeqLMPolicy) -> None:
    settings = {"prompts_per_step": 4, "max_completion_length": 2, "stop": StopConfig(max_steps=40)}
    assert learnt(copy.deepcopy(babbling), SayWord(), OutcomeOptions(), **settings) == 1.0


def test_a_classifier_learns_its_labels() -> None:
    settings = {"prompts_per_step": 4, "stop": StopConfig(max_steps=40)}
    assert learnt(learning_classifier(WORDS, WORDS), WhichWord(), OutcomeOptions(), **settings) == 1.0
