"""What every method can be told, and how options become a method."""

import sys
from types import ModuleType
from typing import ClassVar, Literal

import pytest

from backsight.errors import ConfigError
from backsight.hindsight.base import Hindsight, Outcome
from backsight.hindsight.options import (
    HintOptions,
    InformedOptions,
    MethodOptions,
    OutcomeOptions,
    OutcomeWeightOptions,
    TaughtOptions,
    TemplateOptions,
)


def test_options_build_the_method_that_stands_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(OutcomeOptions().build()) is Outcome
    options = OutcomeOptions()
    assert options.build().options is options

    class EchoOptions(MethodOptions):
        method: ClassVar[str] = "deeds:Echo"
        name: Literal["echo"] = "echo"
        __module__ = "their_package.options"

    class Echo(Hindsight[EchoOptions]):
        pass

    deeds = ModuleType("their_package.deeds")
    deeds.Echo = Echo  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "their_package", ModuleType("their_package"))
    monkeypatch.setitem(sys.modules, "their_package.deeds", deeds)
    assert type(EchoOptions().build()) is Echo


def test_a_method_that_says_nothing_of_itself_reinforces_attempts_without_a_teacher() -> None:
    options = OutcomeOptions()
    assert options.label == "outcome" and options.policy_gradient_weight == 1.0
    assert options.learns_from_attempts and not options.needs_teacher


def test_what_options_have_in_common_is_said_once_for_all_methods() -> None:
    assert OutcomeWeightOptions(name="x").policy_gradient_weight == 0.0
    assert OutcomeWeightOptions(name="x", outcome_weight=0.25).policy_gradient_weight == 0.25
    assert TaughtOptions(name="x").needs_teacher
    assert TemplateOptions(name="x").template == HintOptions(name="x").template == "{hint}\n{prompt}"
    assert HintOptions(name="x").introduce
    assert InformedOptions(name="x").label == "x" and InformedOptions(name="x", hint="other").label == "x-other-hint"


@pytest.mark.parametrize("wrong", [{"outcome_weight": -1.0}, {"outcome_weight": True}, {"weight": 1.0}])
def test_options_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        OutcomeWeightOptions(name="x", **wrong)
