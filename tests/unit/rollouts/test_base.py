"""What only some engines can is asked for by name, and refused with a reason."""

from collections.abc import Iterable, Sequence

import pytest
from tiny_models import tiny_classifier, tiny_policy

from backsight.errors import ConfigError
from backsight.rollouts.base import acting_as, stream
from backsight.rollouts.engines import engine_for
from backsight.types import Action, Observation, Sampling


class Server:
    """An engine elsewhere: it has the weights of one policy, and no other can act there."""

    capabilities: Sequence[str] = ()

    def act(
        self, observations: Sequence[Observation], sampling: Sampling, seeds: Sequence[int]
    ) -> Iterable[tuple[int, Action]]:
        raise AssertionError("nobody may act")

    def acting_as(self, policy: object) -> object:
        raise AssertionError("it has not the capability")


def test_an_engine_without_the_capability_is_refused_and_the_purpose_named() -> None:
    with pytest.raises(ConfigError) as error:
        acting_as(Server(), tiny_policy(), "a trial of the teacher")  # type: ignore[arg-type]
    assert str(error.value) == (
        "engine: Server: cannot act as another policy, which a trial of the teacher needs; set engine=in_process"
    )


def test_an_engine_with_the_capability_acts_with_the_other_policys_weights() -> None:
    policy, other = tiny_policy(seed=0), tiny_policy(seed=1)
    engine, sampling = engine_for(policy), Sampling(max_completion_length=6)
    assert "act as" in engine.capabilities
    found = dict(acting_as(engine, other, "a test").act(["a", "b"], sampling, [0, 1]))
    expected = dict(engine_for(other).act(["a", "b"], sampling, [0, 1]))
    own = dict(engine.act(["a", "b"], sampling, [0, 1]))
    assert [found[index].value for index in (0, 1)] == [expected[index].value for index in (0, 1)]
    assert [found[index].value for index in (0, 1)] != [own[index].value for index in (0, 1)]


def test_an_action_that_cannot_be_shown_while_it_grows_comes_whole() -> None:
    engine, sampling = engine_for(tiny_classifier(("no", "yes"))), Sampling()
    assert "stream" not in engine.capabilities
    [shown] = stream(engine, "a", sampling, 3)
    [(_, action)] = engine.act(["a"], sampling, [3])
    assert (shown.value, shown.text) == (action.value, action.text)
