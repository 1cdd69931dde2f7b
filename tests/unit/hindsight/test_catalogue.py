"""What holds for every method: its name, its options, and that no group makes it fail."""

import inspect
from dataclasses import replace

import pytest
import torch
from unit.hindsight.fakes import FakeScorer, attempt, group_of

from backsight.config import RunConfig, change_config, read_changes
from backsight.feedback.environment import POTENTIAL
from backsight.hindsight.base import Hindsight
from backsight.hindsight.catalogue import METHODS, build
from backsight.hindsight.config import ChainConfig, MethodConfig, OutcomeConfig, RouteConfig
from backsight.tasks.base import Item
from backsight.training.config import StopConfig
from backsight.types import Example, Feedback, Group, Trajectory

BASE = RunConfig(preset="toy", policy="pocket", hindsight=OutcomeConfig(), stop=StopConfig(max_steps=5))
CONFIGS = {config.model_fields["name"].default: config for config in MethodConfig.__args__}  # type: ignore[attr-defined]
ITEM = Item("1", "asked", "gold", {"reward": 1.0, "reward_mean": 0.5})
ARRAYS = {"hca", "cocoa", "command"}
"""For flat observations: they refuse text, with a remedy."""


def told(trajectory: Trajectory) -> Trajectory:
    """With a potential in the info of its step, for methods that want one."""
    return replace(trajectory, steps=tuple(replace(step, info={POTENTIAL: 0.5}) for step in trajectory.steps))


RIGHT = attempt((7, 8), Feedback(reward=1.0, rewards={"hindsight": 1.0}, success=True), text="right", start=ITEM)
WRONG = attempt(
    (9, 8, 7),
    Feedback(
        reward=0.0, rewards={"hindsight": 0.0}, success=False, achieved_goal=("other",), text="no", correction="gold"
    ),
    text="wrong",
    start=ITEM,
)
RIGHT, WRONG = told(RIGHT), told(WRONG)
GROUPS = {
    "no group": [],
    "an empty group": [Group(ITEM)],
    "all failed": [group_of(WRONG, replace(WRONG), start=ITEM)],
    "a lone success": [group_of(RIGHT, WRONG, WRONG, start=ITEM)],
    "one attempt": [group_of(WRONG, start=ITEM)],
    "all succeeded": [group_of(RIGHT, replace(RIGHT), start=ITEM)],
}


def method(name: str) -> Hindsight:
    return build(CONFIGS[name]())


def test_every_method_has_options_and_every_options_a_method() -> None:
    assert set(METHODS) == set(CONFIGS)


@pytest.mark.parametrize("name", METHODS)
def test_options_are_the_arguments_of_the_method(name: str) -> None:
    arguments = dict(inspect.signature(METHODS[name]).parameters)
    fields = {key: field for key, field in CONFIGS[name].model_fields.items() if key != "name"}
    assert list(arguments)[: len(fields)] == list(fields)
    assert {key: arguments[key].default for key in fields} == {key: field.default for key, field in fields.items()}
    # what only Python can give has a default
    assert all(each.default is not inspect.Parameter.empty for each in arguments.values())


@pytest.mark.parametrize("name", METHODS)
def test_a_name_is_enough(name: str) -> None:
    config = change_config(BASE, *read_changes([], [f"hindsight={name}", "algorithm=reinforce"]))
    assert type(build(config.hindsight)) is METHODS[name]
    chain = change_config(BASE, *read_changes([], [f"hindsight=[{name}]", "algorithm=reinforce"])).hindsight
    assert isinstance(chain, ChainConfig) and type(build(chain.methods[0])) is METHODS[name]


@pytest.mark.parametrize("groups", GROUPS.values(), ids=GROUPS)
@pytest.mark.parametrize("name", sorted(set(METHODS) - ARRAYS))
def test_no_group_makes_a_method_fail(name: str, groups: list[Group]) -> None:
    if name == "rudder":
        torch.manual_seed(0)
    for example in method(name)(groups, FakeScorer()):
        check(example)


@pytest.mark.parametrize(
    "name", sorted(name for name in METHODS if METHODS[name]().needs_rollouts and name not in ARRAYS)
)
def test_every_method_composes(name: str) -> None:
    lone = GROUPS["a lone success"]
    for config in (
        ChainConfig(methods=(OutcomeConfig(), CONFIGS[name]())),
        RouteConfig(then=OutcomeConfig(), otherwise=CONFIGS[name]()),
    ):
        examples = build(config)(lone, FakeScorer())
        assert any(each.trajectory is not None and each.trajectory.steps == RIGHT.steps for each in examples)
        for example in examples:
            check(example)


def check(example: Example) -> None:
    """An example is whole: as many weights as there are decisions."""
    count = sum(len(each) if isinstance(each, tuple) else 1 for each in example.responses)
    assert len(example.prompts) == len(example.responses) > 0
    for weights in (
        example.advantages, example.imitation_weights, example.teacher_weights, example.behaviour_log_probs
    ):  # fmt: skip
        assert weights is None or (weights.shape == (count,) and bool(weights.isfinite().all()))
    assert (example.teacher_weights is None) == (example.teacher_prompts is None)
