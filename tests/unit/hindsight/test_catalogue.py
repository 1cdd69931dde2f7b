"""What holds for every method: its name, its options, and that no group makes it fail."""

import inspect
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch
from unit.hindsight.fakes import (
    FAILURE,
    SUCCESS,
    FakeScorer,
    attempt,
    change_groups,
    episode,
    give_credit,
    group_of,
    keys_of,
    make_rows,
    refuse,
)

from backsight.config import RunConfig, change_config, read_changes
from backsight.errors import ConfigError
from backsight.hindsight.advantage.options import (
    CocoaOptions,
    CoRTOptions,
    CSCROptions,
    GiGPOOptions,
    GraphHCAOptions,
    HCAOptions,
    HCAPOOptions,
    HGPOOptions,
    OPDOptions,
    RLCSDOptions,
    RLSDOptions,
    VineOptions,
)
from backsight.hindsight.base import Hindsight
from backsight.hindsight.catalogue import METHODS, PLACES, ChainOptions, RouteOptions
from backsight.hindsight.options import MethodOptions, OutcomeOptions, name_of
from backsight.hindsight.prompt.options import RelabelOptions
from backsight.hindsight.target.options import SelfDistillOptions
from backsight.registry import load
from backsight.tasks.base import Item
from backsight.training.config import StopConfig
from backsight.types import AttemptKey, Example, Feedback, Group, Trajectory

BASE = RunConfig(preset="toy", policy="pocket", hindsight=OutcomeOptions(), stop=StopConfig(max_steps=5))
OPTIONS = {name_of(options): options for methods in PLACES.values() for options in methods}
"""The options of every single method."""
SEVERAL = {"route": RouteOptions, "chain": ChainOptions}
ITEM = Item("1", "asked", "gold", {"reward": 1.0, "reward_mean": 0.5})
REFUSING = {"hca", "cocoa", "command", "turnsight"}
"""For flat observations, or for several turns: they refuse one answer in words, with a remedy."""
OF_ATTEMPTS = sorted(name for name, options in OPTIONS.items() if options().learns_from_attempts)


def tell(trajectory: Trajectory) -> Trajectory:
    """With a potential and a thought in its step, for methods that want one."""
    steps = (replace(each, potential=0.5, action=replace(each.action, thought_end=1)) for each in trajectory.steps)
    return replace(trajectory, steps=tuple(steps))


RIGHT = attempt((7, 8), Feedback(reward=1.0, rewards={"hindsight": 1.0}, success=True), text="right", start=ITEM)
WRONG = attempt(
    (9, 8, 7),
    Feedback(
        reward=0.0, rewards={"hindsight": 0.0}, success=False, achieved_prompts=("other",), text="no", correction="gold"
    ),
    text="wrong",
    start=ITEM,
)
RIGHT, WRONG = tell(RIGHT), tell(WRONG)
GROUPS = {
    "no group": [],
    "an empty group": [Group(ITEM)],
    "all failed": [group_of(WRONG, replace(WRONG), start=ITEM)],
    "a lone success": [group_of(RIGHT, WRONG, WRONG, start=ITEM)],
    "one attempt": [group_of(WRONG, start=ITEM)],
    "all succeeded": [group_of(RIGHT, replace(RIGHT), start=ITEM)],
}


def change(*overrides: str) -> MethodOptions:
    return change_config(BASE, *read_changes([], overrides)).hindsight


class TestOptions:
    def test_every_method_is_known_by_a_name_of_its_own(self) -> None:
        names = [name_of(options) for methods in PLACES.values() for options in methods]
        assert len(names) == len(set(names))
        assert METHODS.names()[: len(names) + 2] == [*names, "route", "chain"]
        for name, options in {**OPTIONS, **SEVERAL}.items():
            assert METHODS.find(name) is options and name_of(options) == name

    @pytest.mark.parametrize("place", PLACES)
    def test_no_options_are_forgotten_in_the_catalogue(self, place: str) -> None:
        module = import_module(
            "backsight.hindsight.options" if place == "none" else f"backsight.hindsight.{place}.options"
        )
        own = [each for each in vars(module).values() if inspect.isclass(each) and each.__module__ == module.__name__]
        chosen = [each for each in own if issubclass(each, MethodOptions) and each.method]
        assert list(PLACES[place]) == chosen

    @pytest.mark.parametrize("name", OPTIONS)
    def test_options_say_where_their_method_stands_and_make_it(self, name: str) -> None:
        options = OPTIONS[name]
        package = options.__module__.rpartition(".")[0]
        method = load(f"{package}.{options.method}")
        assert issubclass(method, Hindsight) and type(options().build()) is method

    @pytest.mark.parametrize("name", OPTIONS)
    def test_options_are_said_once(self, name: str) -> None:
        """A method takes its options whole. What only Python can give has a default."""
        first, *others = inspect.signature(type(OPTIONS[name]().build())).parameters.values()
        assert first.name == "options" and first.default is inspect.Parameter.empty
        assert all(each.default is not inspect.Parameter.empty for each in others)

    @pytest.mark.parametrize("name", sorted(set(OPTIONS) - {"srpo"}))  # which is a route, and has a route's
    def test_a_method_keeps_the_options_that_it_was_made_of(self, name: str) -> None:
        options = OPTIONS[name]()
        assert options.build().options is options

    @pytest.mark.parametrize("name", [*OPTIONS, *SEVERAL])
    def test_everything_is_described(self, name: str) -> None:
        options = METHODS.find(name)
        assert (options.__doc__ or "").strip().endswith(".")
        described = {key: field.description for key, field in options.model_fields.items() if key != "name"}
        assert [key for key, description in described.items() if not description] == []

    @pytest.mark.parametrize("name", OPTIONS)
    def test_a_name_is_enough(self, name: str) -> None:
        method = type(OPTIONS[name]().build())
        options = change(f"hindsight={name}", "algorithm=reinforce")
        assert options == OPTIONS[name]() and type(options.build()) is method
        chain = change(f"hindsight=[{name}]", "algorithm=reinforce")
        assert isinstance(chain, ChainOptions) and chain.methods == (OPTIONS[name](),)
        assert type(chain.methods[0].build()) is method


class TestSeveral:
    def test_they_are_called_by_their_members(self) -> None:
        chain = ChainOptions(methods=(OutcomeOptions(), RelabelOptions()))
        assert chain.label == "outcome+relabel"
        assert RouteOptions(then=OutcomeOptions(), otherwise=chain).label == "outcome-or-outcome+relabel"

    def test_they_need_a_teacher_if_a_member_does(self) -> None:
        plain, taught = OutcomeOptions(), SelfDistillOptions()
        assert [ChainOptions(methods=own).needs_teacher for own in ((plain,), (plain, taught))] == [False, True]
        routes = [
            RouteOptions(then=one, otherwise=two) for one, two in ((plain, plain), (plain, taught), (taught, plain))
        ]
        assert [each.needs_teacher for each in routes] == [False, True, True]

    @pytest.mark.parametrize(
        ("setting", "names"),
        [
            ("[outcome, supervised]", "outcome, supervised"),
            ("{name: route, then: recorded, otherwise: relabel}", "recorded, relabel"),
        ],
    )
    def test_settings_cannot_mix_what_samples_with_what_does_not(self, setting: str, names: str) -> None:
        with pytest.raises(ConfigError, match=f"^hindsight: {names}: some learn from attempts and some without"):
            change(f"hindsight={setting}")


class TestEveryMethod:
    @pytest.mark.parametrize("groups", GROUPS.values(), ids=GROUPS)
    @pytest.mark.parametrize("name", sorted(set(OPTIONS) - REFUSING))
    def test_no_group_makes_it_fail(self, name: str, groups: list[Group]) -> None:
        if name == "rudder":
            torch.manual_seed(0)
        for example in make_rows(OPTIONS[name](), *groups):
            check(example)

    @pytest.mark.parametrize("name", [name for name in OF_ATTEMPTS if name not in REFUSING])
    def test_it_composes(self, name: str) -> None:
        for options in (
            ChainOptions(methods=(OutcomeOptions(), OPTIONS[name]())),
            RouteOptions(then=OutcomeOptions(), otherwise=OPTIONS[name]()),
        ):
            examples = make_rows(options, *GROUPS["a lone success"])
            assert any(each.trajectory is not None and each.trajectory.steps == RIGHT.steps for each in examples)
            for example in examples:
                check(example)

    @pytest.mark.parametrize(
        ("name", "count"), [("relabel", "num_steps"), ("hir", "num_steps"), ("rlsd", "steps"), ("cort", "steps")]
    )
    def test_steps_are_counted_once_in_each_look_back(self, name: str, count: str) -> None:
        method, group = OPTIONS[name]().build(), GROUPS["a lone success"][0]
        method.fit([group], FakeScorer())
        assert int(method.state()[count]) == 0
        change_groups(method, group)
        assert int(method.state()[count]) == 1
        make_rows(method, group)
        assert int(method.state()[count]) == 2


def check(example: Example) -> None:
    """An example is whole: as many weights as there are decisions."""
    count = sum(len(each) if isinstance(each, tuple) else 1 for each in example.responses)
    assert len(example.prompts) == len(example.responses) > 0
    for weights in (
        example.advantages, example.imitation_weights, example.teacher_weights, example.behaviour_log_probs
    ):  # fmt: skip
        assert weights is None or (weights.shape == (count,) and bool(weights.isfinite().all()))
    assert (example.teacher_weights is None) == (example.teacher_prompts is None)


def call(options: object) -> str | None:
    """The name of a test's options, for its id."""
    return options.name if isinstance(options, MethodOptions) else None


IN_WORDS = [HCAPOOptions(), GraphHCAOptions(), GiGPOOptions(), HGPOOptions()]
IN_WORDS += [OPDOptions(), RLSDOptions(), RLCSDOptions(), VineOptions(), CSCROptions(), CoRTOptions(ramp_steps=1)]
IN_NUMBERS = [HCAOptions(num_updates=1), HCAOptions(revealed="state", num_updates=1), CocoaOptions(num_updates=1)]
IN_NUMBERS += [GraphHCAOptions(), GiGPOOptions(), HGPOOptions()]


class TestEveryCredit:
    """Methods that change the advantages of every attempt."""

    @pytest.mark.parametrize(
        ("options", "in_numbers"),
        [*((each, False) for each in IN_WORDS), *((each, True) for each in IN_NUMBERS)],
        ids=call,
    )
    @pytest.mark.parametrize("feedback", [[], [FAILURE], [SUCCESS], [FAILURE] * 3, [SUCCESS, FAILURE, FAILURE]])
    def test_every_group_keeps_its_shape(
        self, options: MethodOptions, in_numbers: bool, feedback: list[Feedback]
    ) -> None:
        if in_numbers:
            observations = [np.zeros(2, np.float32), np.ones(2, np.float32)]
            group = group_of(*(episode(observations, [0, 0], feedback=each) for each in feedback))
        else:
            group = group_of(*(attempt((1, 2, 3), each) for each in feedback))
        method = options.build()
        for _ in range(2):  # knowing nothing, and knowing something
            result = give_credit(method, group)
            assert [len(each) for each in result] == [each.num_decisions for each in group.trajectories]
            assert bool(torch.tensor([value for own in result for value in own]).isfinite().all())
        assert change_groups(method) == []

    @pytest.mark.parametrize(
        "options",
        [
            HCAPOOptions(), GraphHCAOptions(), GiGPOOptions(), HGPOOptions(), RLSDOptions(), RLCSDOptions(),
            VineOptions(num_samples=1), CSCROptions(), CoRTOptions(),
        ],
        ids=call,
    )  # fmt: skip
    def test_a_group_in_which_all_failed_gets_no_credit_from_nothing(self, options: Any) -> None:
        group = group_of(attempt((1, 2), FAILURE), attempt((3, 4), FAILURE))
        assert give_credit(options, group, FakeScorer(verdict=lambda _: FAILURE)) == [[0.0, 0.0]] * 2


ASKING = sorted({name for name, options in OPTIONS.items() if options().needs_teacher} - {"preference"} - REFUSING)
"""Methods whose teacher is told something; that of `preference` is told nothing, and is its reference."""
REVEALING = {"hir", "opd"}
"""Methods that teach an attempt what was revealed of it, whether it was scored or not."""


@pytest.mark.parametrize("name", ASKING)
def test_a_teacher_on_pause_changes_nothing(name: str) -> None:
    """Each attempt has the row that it would have with `outcome`, and the teacher is not asked."""
    group = group_of(RIGHT, replace(RIGHT), WRONG, replace(WRONG), start=ITEM)
    paused = FakeScorer(teacher_log_prob=refuse, trusts=False)
    plain, without = (
        sorted(make_rows(options, group, scorer=paused), key=lambda each: keys_of([each])[0] or AttemptKey(-1, -1))
        for options in (OutcomeOptions(), OPTIONS[name]())
    )
    assert keys_of(without) == keys_of(plain)
    for row, expected in zip(without, plain, strict=True):
        assert row.teacher_weights is None and row.weight == expected.weight
        assert row.advantages is not None and expected.advantages is not None
        assert torch.equal(row.advantages, expected.advantages)


@pytest.mark.parametrize("name", [name for name in OF_ATTEMPTS if name not in REFUSING | REVEALING])
def test_an_attempt_that_nobody_scored_is_not_reinforced(name: str) -> None:
    silent = tell(attempt((5, 6), Feedback(), text="unheard", start=ITEM))
    group = group_of(RIGHT, silent, WRONG, start=ITEM)
    rows = make_rows(OPTIONS[name](), group)
    reinforced = [each for each in rows if each.responses == ((5, 6),) and each.advantages is not None]
    assert all(not each.advantages.any() for each in reinforced if each.advantages is not None)
