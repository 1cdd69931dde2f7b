"""Each estimator solves a bandit, each method its toy."""

import copy

import pytest
from small_runs import sampler_for
from tiny_models import learner
from toy_tasks import WORDS, GoalString, SayWord, greedy_score

from backsight.estimators.advantages import ESTIMATORS
from backsight.hindsight.advantage.options import BestOfNOptions, CoRTOptions, CSCROptions, PreferenceOptions
from backsight.hindsight.options import MethodOptions, OutcomeOptions
from backsight.hindsight.prompt.options import RelabelOptions
from backsight.hindsight.response.options import SupervisedOptions
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.rollouts.engines import engine_for
from backsight.tasks.base import Item, PromptTask
from backsight.training.config import StopConfig, TrainingConfig
from backsight.training.trainer import EpisodeSource, Trainer


def learnt(policy: CausalLMPolicy, task: PromptTask, method: MethodOptions, **settings: object) -> float:
    """The greedy score after training."""
    config = TrainingConfig(**{"learning_rate": 2e-3, "num_generations": 8, **settings})  # type: ignore[arg-type]
    source = EpisodeSource(
        environments=task.episode, starts=task.items("train"), feedback=task.feedback(), **sampler_for(policy, config)
    )
    Trainer(policy, source, method.build(), config).train()
    return greedy_score(engine_for(policy), task, config.sampling)


@pytest.mark.parametrize("estimator", sorted(ESTIMATORS))
@pytest.mark.parametrize("loss_type", ["pg", "clip", "tis", "sapo"])
def test_every_estimator_solves_a_bandit(estimator: str, loss_type: str, warm: CausalLMPolicy) -> None:
    algorithm, by_batch = estimator.removeprefix("batch_"), estimator.startswith("batch_")
    score = learnt(
        copy.deepcopy(warm),
        SayWord(),
        OutcomeOptions(),
        algorithm=algorithm,
        scale_rewards="batch" if by_batch else "auto",
        loss_type=loss_type,
        prompts_per_step=4,
        max_completion_length=2,
        stop=StopConfig(max_steps=25),
    )
    assert score == 1.0


@pytest.mark.parametrize("loss_type", ["clip", "tis"])
def test_attempts_that_are_one_step_old_solve_a_bandit(loss_type: str, warm: CausalLMPolicy) -> None:
    settings = {"prompts_per_step": 4, "max_completion_length": 2, "stop": StopConfig(max_steps=30)}
    way = {"max_staleness": 1, "loss_type": loss_type}
    assert learnt(copy.deepcopy(warm), SayWord(), OutcomeOptions(), **settings, **way) == 1.0


def test_a_critic_solves_a_bandit_without_siblings(warm: CausalLMPolicy) -> None:
    settings = {"prompts_per_step": 32, "max_completion_length": 2, "stop": StopConfig(max_steps=30)}
    assert (
        learnt(copy.deepcopy(warm), SayWord(), OutcomeOptions(), **settings, algorithm="ppo", num_generations=1) == 1.0
    )


def test_bf16_weights_with_float32_masters_solve_a_bandit(warm: CausalLMPolicy) -> None:
    settings = {"prompts_per_step": 4, "max_completion_length": 2, "stop": StopConfig(max_steps=30)}
    assert learnt(copy.deepcopy(warm), SayWord(), OutcomeOptions(), **settings, bf16=True) == 1.0


ALTERNATIVES = [
    OutcomeOptions(),
    BestOfNOptions(),
    PreferenceOptions(),
    CSCROptions(),
    CoRTOptions(rubric="rubric", ramp_steps=5),
]


@pytest.mark.parametrize("method", ALTERNATIVES, ids=lambda each: each.label)
@pytest.mark.parametrize("word", [" red", " blue"])
def test_the_usual_alternatives_solve_a_bandit(method: MethodOptions, word: str, warm: CausalLMPolicy) -> None:
    class SayThisWord(SayWord):
        def items(self, split: str) -> list[Item]:
            return [Item("0", "say", word, {"rubric": f"says{word}"})]

    settings = {"prompts_per_step": 4, "max_completion_length": 2, "stop": StopConfig(max_steps=25)}
    assert learnt(copy.deepcopy(warm), SayThisWord(), method, **settings) == 1.0


class SayAnyWord(SayWord):
    """The same prompt with any of the words: where the bandit starts from."""

    def items(self, split: str) -> list[Item]:
        return [Item(word, "say", f" {word}") for word in WORDS]


@pytest.fixture(scope="module")
def warm() -> CausalLMPolicy:
    """A policy that says one of the words, each about as often."""
    policy = learner(WORDS)
    stop = StopConfig(max_steps=25)
    learnt(policy, SayAnyWord(), SupervisedOptions(), prompts_per_step=4, max_completion_length=2, stop=stop)
    return policy


class Babble(GoalString):
    """Answers of the right form that have nothing to do with what was asked: where `relabel` starts from."""

    def items(self, split: str) -> list[Item]:
        answers = [item.target for item in super().items(split)]
        return [Item(item.id, item.prompt, answers[number - 1]) for number, item in enumerate(super().items(split))]


@pytest.fixture(scope="module")
def babbling() -> CausalLMPolicy:
    """A policy that writes four of the words, whatever it was asked: one attempt in 256 is right."""
    policy = learner(WORDS)
    stop = StopConfig(max_steps=40)
    learnt(policy, Babble(4), SupervisedOptions(), prompts_per_step=32, max_completion_length=5, stop=stop)
    return policy


SPARSE = {"prompts_per_step": 16, "max_completion_length": 5, "stop": StopConfig(max_steps=120)}


def test_relabel_learns_where_the_control_sees_almost_only_zeros(babbling: CausalLMPolicy) -> None:
    control = learnt(copy.deepcopy(babbling), GoalString(4), OutcomeOptions(), **SPARSE)
    hindsight = learnt(copy.deepcopy(babbling), GoalString(4), RelabelOptions(), **SPARSE)
    assert control < 0.2
    assert hindsight > 0.8


def test_supervised_learns_the_gold_answers(babbling: CausalLMPolicy) -> None:
    settings = {"prompts_per_step": 128, "max_completion_length": 5, "stop": StopConfig(max_steps=120)}
    assert learnt(copy.deepcopy(babbling), GoalString(4), SupervisedOptions(), **settings) > 0.8
