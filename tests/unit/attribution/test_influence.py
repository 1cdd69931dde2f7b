"""What a step owes to a row, predicted and done again without it."""

import zlib
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from tiny_models import tiny_policy
from toy_tasks import WORDS, GoalString

from backsight.attribution.influence import StepInfluences, answer_log_prob
from backsight.evaluation.statistics import spearman
from backsight.hindsight.options import OutcomeOptions
from backsight.rollouts.engines import InProcessOptions
from backsight.tasks.base import SingleTurn
from backsight.training.config import StopConfig, TrainingConfig
from backsight.training.trainer import EpisodeSource, Trainer
from backsight.types import Example, Feedback, Trajectory

CONFIG = TrainingConfig(
    stop=StopConfig(max_steps=3),
    algorithm="rloo",
    loss_type="pg",
    learning_rate=1e-3,
    prompts_per_step=4,
    num_generations=4,
    max_completion_length=2,
)


class Judge:
    """Pays every attempt something of its own, so that every row teaches."""

    busy = ()

    def __call__(self, trajectories: Sequence[Trajectory], seeds: Sequence[int]) -> Sequence[Feedback]:
        return [Feedback(reward=zlib.crc32(str(each.responses).encode()) / 2**32) for each in trajectories]


def make_trainer(config: TrainingConfig = CONFIG, options: Any = None) -> Trainer:
    policy, task = tiny_policy(words=WORDS), GoalString(2)
    source = EpisodeSource(InProcessOptions().build(policy), SingleTurn, task.items("train"), Judge())
    return Trainer(policy, source, (options or OutcomeOptions()).build(), config)


def next_step(trainer: Trainer) -> Sequence[Example]:
    return trainer.look_back(trainer.reveal(trainer.collect()))[0]


def answers(trainer: Trainer, count: int) -> list[Example]:
    items = trainer.source.starts[:count]
    return [Example((item.prompt,), (trainer.policy.encode(item.target)[:2],), "answer") for item in items]


WAYS: list[tuple[int, dict[str, Any]]] = [
    (0, {}),
    (2, {}),
    (2, {"beta": 0.1}),
    (2, {"bf16": True, "learning_rate": 1e-2}),
    (2, {"max_grad_norm": 1e-3}),
    (2, {"entropy_coef": 0.01}),
]


@pytest.mark.parametrize(("steps", "way"), WAYS)
def test_predicted_changes_are_those_of_the_step_done_again(steps: int, way: dict[str, Any]) -> None:
    trainer = make_trainer(CONFIG.model_copy(update={**way, "stop": StopConfig(max_steps=max(1, steps))}))
    if steps:
        trainer.train()
    step = StepInfluences(trainer, next_step(trainer))
    wanted = answers(trainer, 12)
    predicted_AR = step.influences(wanted)
    whole = torch.tensor(step.log_probs_without([], wanted))
    without_RA = torch.tensor([step.log_probs_without([index], wanted) for index in range(len(step.rows))])
    actual_AR = whole[:, None] - without_RA.T
    assert predicted_AR.shape == (12, len(step.rows)) and predicted_AR.numel() >= 150
    least = 0.8 if "bf16" in way else 0.95
    assert spearman(predicted_AR.flatten().tolist(), actual_AR.flatten().tolist()) >= least


def test_the_step_is_undone_to_the_bit() -> None:
    trainer = make_trainer()
    trainer.train()
    before = [each.detach().clone() for each in trainer.policy.module.parameters()]
    moments = [each["exp_avg"].clone() for each in trainer.optimizer.state.values()]
    step = StepInfluences(trainer, next_step(trainer))
    wanted = answers(trainer, 1)
    kept = answer_log_prob(trainer.policy, wanted[0]).item()
    assert step.log_probs_without([0], wanted) != [kept]
    step.influences(wanted)
    assert all(map(torch.equal, trainer.policy.module.parameters(), before))
    assert all(map(torch.equal, (each["exp_avg"] for each in trainer.optimizer.state.values()), moments))
    assert answer_log_prob(trainer.policy, wanted[0]).item() == kept


def test_a_row_that_imitates_the_answer_makes_it_likelier_most_of_all() -> None:
    trainer = make_trainer()
    answer = answers(trainer, 1)[0]
    others = answers(trainer, 4)[1:]
    rows = [
        Example(each.prompts, each.responses, "supervised", imitation_weights=torch.ones(2))
        for each in (answer, *others)
    ]
    effects = StepInfluences(trainer, rows).influences([answer])[0]
    assert effects[0] > 0 and effects.argmax() == 0


def test_a_step_without_rows_that_teach_owes_nothing_to_anybody() -> None:
    trainer = make_trainer()
    row = Example(("say",), ((5, 6),), "outcome", torch.zeros(2), torch.zeros(2))
    step = StepInfluences(trainer, [row])
    assert step.rows == [] and step.influences(answers(trainer, 2)).shape == (2, 0)
