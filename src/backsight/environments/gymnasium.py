"""Gymnasium environments: their spaces as plain vectors, and their episodes.

Arrays: N observations, D numbers of a flat observation, A numbers of a flat action.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, overload

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.spaces.utils import flatdim, flatten
from numpy.typing import NDArray

from backsight.environments.base import StepResult
from backsight.errors import RewardError, SpaceError
from backsight.feedback.environment import FEEDBACK, finite_reward, hindsight_rewards
from backsight.types import Action, Feedback

GOAL_KEYS = {"observation", "achieved_goal", "desired_goal"}
Observations = tuple[NDArray[np.float32], ...]
Transitions = Sequence[tuple[Any, Any, Any]]
"""State, action and next state, as the environment knows them."""
HUGE = 1e4
"""Some boxes reach to the largest float there is; bounds beyond this one are none."""


class GymnasiumEnvironment:
    """An environment whose spaces are known to fit; it exists once, so its episodes run one after the other.

    Observations are flattened to float32, with one-hot parts for what is discrete. Actions are flat as well: indices
    from 0 for `Discrete` and `MultiDiscrete`, numbers in the environment's units for `Box`.
    """

    def __init__(self, env: Any) -> None:
        """Raises `SpaceError` when it is no environment, or a space is not supported."""
        if not isinstance(env, gymnasium.Env):
            raise SpaceError("env", type(env).__name__, "is no gymnasium.Env; derive it from Env or Wrapper")
        self.env = env
        try:
            self.observation_space, self.action_space = env.observation_space, env.action_space
        except AttributeError as error:
            raise SpaceError("env", type(env).__name__, "define observation_space and action_space") from error
        try:
            inspect.signature(env.reset).bind(seed=0)
        except TypeError as error:
            raise SpaceError("env.reset", error, "take the keyword arguments seed and options") from error
        _check_observation_space(self.observation_space, "env.observation_space")
        _check_action_space(self.action_space)
        self.observation_width = flatdim(self.observation_space)
        self.hindsight_reward = self._method("hindsight_reward")
        self.achieved = self._method("achieved")
        space = self.observation_space
        has_goals = isinstance(space, spaces.Dict) and set(space.spaces) >= GOAL_KEYS
        self.compute_reward = self._method("compute_reward") if has_goals else None

    @property
    def action_sizes(self) -> tuple[int, ...] | None:
        """Choices of each discrete part of an action; None when actions are continuous."""
        match self.action_space:
            case spaces.Discrete(n=size):
                return (int(size),)
            case spaces.MultiDiscrete(nvec=sizes):
                return tuple(sizes.flatten().tolist())
            case _:
                return None

    @property
    def action_scale(self) -> tuple[float, ...]:
        """How far to explore in each dimension of a continuous action: a quarter of the range, 1 where it has none."""
        box = self.action_space
        assert isinstance(box, spaces.Box)
        range_A = (box.high.astype(np.float64) - box.low).flatten()
        return tuple(np.where(range_A < HUGE, range_A / 4, 1.0).tolist())

    def sample_observations(self, count: int) -> NDArray[np.float32]:
        """(N, D) always the same ones, and the environment's own random state is left alone."""
        space = copy.deepcopy(self.observation_space)
        space.seed(0)
        samples_ND = np.stack([self.flat_observation(space.sample()) for _ in range(count)])
        return samples_ND.clip(-HUGE, HUGE)

    def flat_observation(self, observation: Any) -> NDArray[np.float32]:
        """(D,)

        Raises:
            SpaceError: the observation is not of the observation space.
        """
        try:
            flat_D = np.asarray(flatten(self.observation_space, observation), dtype=np.float32)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            remedy = f"does not lie in env.observation_space={self.observation_space}; change one of them"
            raise SpaceError("observation", observation, remedy) from error
        if len(flat_D) != self.observation_width:
            remedy = f"has {len(flat_D)} numbers, env.observation_space={self.observation_space} has others"
            raise SpaceError("observation", observation, remedy)
        return flat_D

    def native_action(self, value_A: NDArray[Any]) -> Any:
        """What `env.step` takes. Continuous actions are clipped to the box here and nowhere else."""
        match self.action_space:
            case spaces.Discrete(start=start):
                return int(value_A[0] + start)
            case spaces.MultiDiscrete(shape=shape, start=start, dtype=dtype):
                return (value_A.reshape(shape) + start).astype(dtype)
            case spaces.Box(shape=shape, low=low, high=high, dtype=dtype):
                return value_A.reshape(shape).clip(low, high).astype(dtype)
        raise AssertionError(self.action_space)

    def _method(self, name: str) -> Callable[..., Any] | None:
        """A method of the environment or of what it wraps."""
        method = self.env.get_wrapper_attr(name) if self.env.has_wrapper_attr(name) else None
        return method if callable(method) else None


class GymnasiumEpisode:
    """One episode. When it is over, the environment is asked at once what it thinks of it in hindsight.

    The answer lies as `Feedback` in the `info` of the last step. `hindsight_reward(state, action, next_state)`
    judges each step. An environment with goals also reveals, of an episode that failed, how it would have read
    had the goal been what was achieved in the end: a success, as `compute_reward` says; and of every episode, how its
    beginnings would have read had the goal been what was achieved by then. One that knows by itself how the episode
    should have been asked for says so with `achieved(transitions)`: its observations then, or None.
    """

    def __init__(self, environment: GymnasiumEnvironment, seed: int, max_steps: int) -> None:
        """`seed` decides where the episode starts; at `max_steps` it is truncated."""
        self.environment, self.seed, self.max_steps = environment, seed, max_steps
        self.num_steps = 0
        self.transitions: list[tuple[Any, Any, Any]] = []

    def reset(self) -> NDArray[np.float32]:
        """Raises `SpaceError` when the environment does not answer as Gymnasium's do."""
        answer = self.environment.env.reset(seed=self.seed)
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise SpaceError("env.reset", type(answer).__name__, "return (observation, info), as in Gymnasium")
        self.state = copy.deepcopy(answer[0])
        return self.environment.flat_observation(self.state)

    def step(self, action: Action) -> StepResult:
        """Raises `SpaceError` as `reset` does, and `RewardError` when a reward is not a finite number."""
        native_action = self.environment.native_action(action.value)
        answer = self.environment.env.step(native_action)
        if not isinstance(answer, tuple) or len(answer) != 5:
            remedy = "return (observation, reward, terminated, truncated, info), as in Gymnasium"
            raise SpaceError("env.step", type(answer).__name__, remedy)
        next_state, reward, terminated, truncated, info = answer
        self._remember(native_action, next_state)
        truncated = bool(truncated) or (self.num_steps == self.max_steps and not terminated)
        if terminated or truncated:
            info = {**info, FEEDBACK: self._hindsight(info)}
        return StepResult(
            self.environment.flat_observation(next_state),
            finite_reward(reward, f"env.step, step {self.num_steps - 1} of the episode"),
            bool(terminated),
            truncated,
            info,
        )

    def _remember(self, native_action: Any, next_state: Any) -> None:
        self.num_steps += 1
        environment = self.environment
        if environment.hindsight_reward or environment.compute_reward or environment.achieved:
            # copied, since some environments return the same array at every step
            next_state = copy.deepcopy(next_state)
            self.transitions.append((self.state, native_action, next_state))
            self.state = next_state

    def _hindsight(self, info: Mapping[str, Any]) -> Feedback:
        judge = self.environment.hindsight_reward
        step_rewards = hindsight_rewards("env.hindsight_reward", judge, self.transitions) if judge else None
        has_goals = self.environment.compute_reward is not None
        return Feedback(
            step_rewards=step_rewards,
            achieved_goal=self._as_achieved() if self.environment.achieved else self._relabelled(info),
            goals_on_the_way=GoalsOnTheWay(self.environment, self.transitions) if has_goals else None,
            sources=("env.hindsight_reward",) if judge else (),
        )

    def _as_achieved(self) -> Observations | None:
        """(S,) the observations as the environment would have had them; None when it knows of none."""
        assert self.environment.achieved is not None
        try:
            observations = self.environment.achieved(self.transitions)
        except Exception as error:  # an environment may be anybody's code
            value = f"raised {type(error).__name__}: {error}"
            raise RewardError("env.achieved", value, "mend the environment") from error
        if observations is None:
            return None
        if len(observations) != len(self.transitions):
            remedy = f"return None, or an observation for each of {len(self.transitions)} steps"
            raise SpaceError("env.achieved", f"{len(observations)} observations", remedy)
        return tuple(self.environment.flat_observation(each) for each in observations)

    def _relabelled(self, info: Mapping[str, Any]) -> Observations | None:
        """(S,) the observations with the goal that was achieved in the end; None when that earns no more."""
        compute_reward = self.environment.compute_reward
        if compute_reward is None:
            return None
        _, _, end = self.transitions[-1]
        goal = end["achieved_goal"]
        asked, achieved = hindsight_rewards(
            "env.compute_reward", compute_reward, [(goal, end["desired_goal"], info), (goal, goal, info)]
        )
        if achieved <= asked:
            return None
        return _with_goal(self.environment, self.transitions, goal)


class GoalsOnTheWay(Sequence[Observations]):
    """At index k the first k+1 observations, with the goal that was achieved after step k; made when looked at."""

    def __init__(self, environment: GymnasiumEnvironment, transitions: Transitions) -> None:
        self.environment, self.transitions = environment, transitions

    def __len__(self) -> int:
        return len(self.transitions)

    @overload
    def __getitem__(self, index: int) -> Observations: ...
    @overload
    def __getitem__(self, index: slice) -> list[Observations]: ...
    def __getitem__(self, index: int | slice) -> Observations | list[Observations]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        beginning = self.transitions[: range(len(self))[index] + 1]
        return _with_goal(self.environment, beginning, beginning[-1][2]["achieved_goal"])


def _with_goal(environment: GymnasiumEnvironment, transitions: Transitions, goal: Any) -> Observations:
    flat = environment.flat_observation
    return tuple(flat({**state, "desired_goal": goal}) for state, _, _ in transitions)


def _check_observation_space(space: spaces.Space[Any], field: str) -> None:
    match space:
        case spaces.Dict():
            for key, part in space.spaces.items():
                _check_observation_space(part, f"{field}[{key!r}]")
        case spaces.Box() | spaces.Discrete() | spaces.MultiDiscrete() | spaces.MultiBinary():
            pass
        case _:
            remedy = "use Box, Discrete, MultiDiscrete, MultiBinary or a Dict of them, or wrap it in FlattenObservation"
            raise SpaceError(field, space, remedy)


def _check_action_space(space: spaces.Space[Any]) -> None:
    match space:
        case spaces.Discrete() | spaces.MultiDiscrete():
            pass
        case spaces.Box() if np.issubdtype(space.dtype, np.floating):
            pass
        case _:
            raise SpaceError("env.action_space", space, "use Discrete, MultiDiscrete or a Box of floats")
