"""What a teacher that was told teaches, and that neither another hint nor none does."""

import copy
import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from tiny_models import WIDE, tiny_tokenizer
from toy_tasks import WORDS, greedy_score

from backsight.hindsight.advantage.options import OPDOptions
from backsight.hindsight.options import MethodOptions, OutcomeOptions
from backsight.hindsight.response.options import SupervisedOptions
from backsight.hindsight.target.options import SelfDistillOptions, SRDOptions
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.policies.small import make_small_model
from backsight.rollouts.engines import engine_for
from backsight.tasks.base import Item, PromptTask
from backsight.training.config import StopConfig, TeacherConfig, TrainingConfig
from backsight.training.trainer import EpisodeSource, Trainer
from backsight.types import Feedback

ANSWERS = ["".join(f" {word}" for word in words) for words in itertools.product(WORDS, repeat=2)]
QUESTIONS = [f"q{number}:" for number in range(4)]
SECRETS = dict(zip(QUESTIONS, ANSWERS[1::3], strict=False))
"""Every question has an answer of its own, to which nothing in it points: one in 16 is right by luck."""
HINTS: dict[str, Any] = {"template": " {hint}{prompt}", "introduce": False}


def think(answer: str) -> str:
    """The answer, thought of before it is given."""
    return f"<think>{answer}</think>{answer}"


class Secrets(PromptTask):
    """Name the answer, which is revealed afterwards."""

    name = "secrets"
    eval_splits = ("test",)

    def items(self, split: str) -> Sequence[Item]:
        return [Item(question, question, answer) for question, answer in SECRETS.items()]

    def judge(self, item: Item, completion: str) -> Feedback:
        right = completion == item.target
        return Feedback(reward=float(right), success=right, correction=item.target, sources=(self.name,))


class Reading(Secrets):
    """The same questions with a hint, which is to be repeated, and without one, where any answer will do."""

    def items(self, split: str) -> Sequence[Item]:
        pairs = itertools.product(QUESTIONS, ANSWERS)
        asked = [(question, answer) for question, answer in pairs if answer != SECRETS[question]]
        told = [Item(f"told {question}{answer}", f"{answer}{question}", think(answer)) for question, answer in asked]
        return [*told, *(Item(f"{question}{answer}", question, think(answer)) for question, answer in asked)]


def learnt(policy: CausalLMPolicy, task: PromptTask, method: MethodOptions, **settings: Any) -> float:
    """The greedy score after training."""
    fixed = {"learning_rate": 2e-3, "num_generations": 8, "max_completion_length": 8}
    config = TrainingConfig(**{**fixed, **settings})
    engine = engine_for(policy)
    Trainer(
        policy, EpisodeSource(engine, task.episode, task.items("train"), task.feedback()), method.build(), config
    ).train()
    return greedy_score(engine, Secrets(), config.sampling)


def thinker() -> CausalLMPolicy:
    """A policy that has learnt nothing, with a token for either end of a thought."""
    tokenizer = tiny_tokenizer(WORDS)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<think>", "</think>"]})
    return CausalLMPolicy(make_small_model(tokenizer, **WIDE), tokenizer)


@pytest.fixture(scope="module")
def reader() -> CausalLMPolicy:
    """A policy that can read a hint, and knows none of the answers."""
    policy = thinker()
    settings = {"prompts_per_step": 120, "learning_rate": 5e-3, "stop": StopConfig(max_steps=60)}
    learnt(policy, Reading(), SupervisedOptions(), **settings)
    return policy


def taught(reader: CausalLMPolicy, method: MethodOptions, **teacher: Any) -> float:
    settings = {"prompts_per_step": 4, "learning_rate": 1e-3, "stop": StopConfig(max_steps=100), "algorithm": "dr_grpo"}
    return learnt(copy.deepcopy(reader), Secrets(), method, teacher=TeacherConfig(**teacher), **settings)


@pytest.mark.parametrize("teacher", [{}, {"share": (0.5, 0.8), "share_steps": 20}], ids=str)
def test_a_teacher_that_was_told_teaches_the_answers(teacher: dict[str, Any], reader: CausalLMPolicy) -> None:
    assert taught(reader, SelfDistillOptions(**HINTS), **teacher) == 1.0


def test_pitfalls_that_are_corrected_lead_to_the_answers(reader: CausalLMPolicy) -> None:
    assert taught(reader, SRDOptions(distill_weight=0.5, **HINTS)) == 1.0


@pytest.mark.parametrize(
    "control",
    [
        OutcomeOptions(),
        SelfDistillOptions(hint="other", **HINTS),
        SelfDistillOptions(hint="absent", **HINTS),
        OPDOptions(penalty=1.0, **HINTS),
    ],
    ids=lambda each: each.label,
)
def test_the_controls_teach_no_answers(control: MethodOptions, reader: CausalLMPolicy) -> None:
    assert taught(reader, control, check_steps=0) <= 0.5
