"""Whether the sampler and the learner see the same policy."""

import pytest
from tiny_models import tiny_policy
from toy_tasks import WORDS, GoalString

from backsight.errors import ModelError
from backsight.evaluation.agreement import sampler_learner_difference
from backsight.rollouts.engines import engine_for
from backsight.training.config import StopConfig, TrainingConfig


def test_disagreeing_sampler_and_learner_are_found() -> None:
    config = TrainingConfig(stop=StopConfig(max_steps=1), max_completion_length=4)
    policy, task = tiny_policy(words=WORDS), GoalString(1)
    assert sampler_learner_difference(policy, engine_for(policy), task, config) < 1e-4
    never_told_of_an_update = engine_for(tiny_policy(words=WORDS, seed=1))
    with pytest.raises(ModelError, match="disagree"):
        sampler_learner_difference(policy, never_told_of_an_update, task, config)
