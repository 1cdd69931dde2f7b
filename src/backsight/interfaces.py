"""The interfaces of what surrounds a policy: environments that it acts in, and sources that judge what it did."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from backsight.types import Action, Feedback, Observation, Trajectory

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class StepResult:
    """The answer of an environment to an action. Fields that `Step` has as well mean the same there."""

    observation: Observation | None
    """What is observed next; None if the episode is over and there is nothing more to see."""
    reward: float | None = None
    terminated: bool = False
    truncated: bool = False
    info: Mapping[str, Any] = field(default_factory=dict)
    potential: float | None = None
    """Potential of the state in which the action was chosen."""
    feedback: Feedback | None = None
    """Feedback that is revealed once the episode is over."""


@dataclass(frozen=True, slots=True)
class Pending(Generic[_T]):
    """An answer that is on its way; whoever asked may ask others meanwhile."""

    wait: Callable[[], _T | Pending[_T]]
    """A function that waits for the answer, and returns it or what else has to be waited for. It is called once."""
    cancel: Callable[[], object]
    """A function that says that nobody wants the answer any more."""

    def result(self) -> _T:
        """Wait until the answer is there, and return it."""
        answer = self.wait()
        while isinstance(answer, Pending):
            answer = answer.wait()
        return answer


class Place(Protocol):
    """A place where work is done that has nothing to do with this process, such as another machine."""

    def __call__(self, work: Callable[[], _T], seconds: float) -> Pending[_T]:
        """Send a function there, and return its answer to be; waiting for it raises what the function raised.

        Args:
            work: a function that can be sent.
            seconds: its own time; where no answer comes long after that, waiting raises `TimeoutError`.
        """
        ...


class Host(Protocol):
    """A place where objects are kept that have nothing to do with this process, such as another machine."""

    def keep(self, make: Callable[[], Any]) -> Callable[..., Awaitable[Any]]:
        """Make an object there, and return a function that calls a method of it, by its name.

        The function returns None where the object has no such method, and raises what the method raised.
        """
        ...


class Environment(Protocol):
    """One episode, in Gymnasium's terms. It is used once: `reset` first, then `step` until the episode is over.

    Both may return a `Pending` in place of the answer: then many episodes wait at the same time.
    """

    def reset(self) -> Observation | Pending[Observation]: ...

    def step(self, action: Action) -> StepResult | Pending[StepResult]: ...


EnvironmentFactory = Callable[[Any], Environment]
"""A function from a start (a task item, a seed) to a fresh episode."""


class FeedbackSource(Protocol):
    """A source that judges finished trajectories: one `Feedback` each, in order. Several threads may call it."""

    @property
    def busy(self) -> Collection[str]:
        """Names of the functions or models that are at work, for the message when no answer comes."""
        ...

    def __call__(self, trajectories: Sequence[Trajectory], seeds: Sequence[int]) -> Sequence[Feedback]:
        """Return one feedback for each trajectory, in order. It depends on nothing but the trajectory and its seed."""
        ...
