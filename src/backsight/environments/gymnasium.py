"""Gymnasium environments: their spaces as plain vectors, and their episodes.

Arrays: N observations, D numbers of a flat observation, A numbers of a flat action, S steps of an episode.
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

from backsight.errors import RewardError, SpaceError, shown
from backsight.feedback.environment import ask_environment
from backsight.feedback.numbers import call_for_steps, finite_reward, in_order, truth
from backsight.interfaces import StepResult
from backsight.types import Action, Feedback

GOAL_KEYS = {"observation", "achieved_goal", "desired_goal"}
Observations = tuple[NDArray[np.float32], ...]
Transitions = Sequence[tuple[Any, Any, Any]]
"""State, action and next state of each step, as the environment knows them."""
HUGE = 1e4
"""Size from which a bound of a `Box` counts as none: some boxes reach to the largest float there is."""


class GymnasiumEnvironment:
    """A Gymnasium environment whose spaces were checked. It exists once, so its episodes run one after the other.

    Observations are flattened to float32, with one-hot parts for discrete spaces. Actions are flat as well: indices
    from 0 for `Discrete` and `MultiDiscrete`, numbers in the environment's units for `Box`.
    """

    def __init__(self, env: Any) -> None:
        """Check the environment `env` and keep it.

        Raises:
            SpaceError: when `env` is no environment, or a space is not supported.
        """
        if not isinstance(env, gymnasium.Env):
            raise SpaceError("env", type(env).__name__, "is no gymnasium.Env; derive it from Env or Wrapper")
        self.env = env
        try:
            self.observation_space, self.action_space = ask_environment("env", _spaces, env)
        except RewardError as error:
            if not isinstance(error.__cause__, AttributeError):
                raise
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
        self.name: str = env.spec.id if env.spec is not None else type(env.unwrapped).__name__
        space = self.observation_space
        has_goals = isinstance(space, spaces.Dict) and set(space.spaces) >= GOAL_KEYS
        self.compute_reward = self._method("compute_reward") if has_goals else None

    @property
    def action_sizes(self) -> tuple[int, ...] | None:
        """Number of choices of each discrete part of an action; None when actions are continuous."""
        match self.action_space:
            case spaces.Discrete(n=size):
                return (int(size),)
            case spaces.MultiDiscrete(nvec=sizes):
                return tuple(sizes.flatten().tolist())
            case _:
                return None

    @property
    def action_scale(self) -> tuple[float, ...]:
        """Scale of exploration in each dimension of a continuous action: a quarter of the range, 1 without bounds."""
        box = self.action_space
        assert isinstance(box, spaces.Box)
        range_A = (box.high.astype(np.float64) - box.low).flatten()
        return tuple(np.where(range_A < HUGE, range_A / 4, 1.0).tolist())

    def sample_observations(self, count: int) -> NDArray[np.float32]:
        """Return sampled observations, (N, D), the same in each call. The environment's random state is left alone."""
        space = copy.deepcopy(self.observation_space)
        space.seed(0)
        samples_ND = np.stack([self.flat_observation(space.sample()) for _ in range(count)])
        return samples_ND.clip(-HUGE, HUGE)

    def flat_observation(self, observation: Any) -> NDArray[np.float32]:
        """Return an observation as a flat vector, (D,).

        Raises:
            SpaceError: when the observation does not lie in the observation space.
        """
        try:
            _check_choices(self.observation_space, observation)
            with np.errstate(over="ignore"):  # named below
                flat_D = np.asarray(flatten(self.observation_space, observation), dtype=np.float32)
        except (Exception, SystemExit) as error:  # an observation of somebody else's may raise anything
            remedy = f"does not lie in env.observation_space={self.observation_space}; change one of them"
            raise SpaceError("observation", observation, remedy) from error
        if len(flat_D) != self.observation_width:
            remedy = f"has {len(flat_D)} numbers, env.observation_space={self.observation_space} has others"
            raise SpaceError("observation", observation, remedy)
        if not np.isfinite(flat_D).all():
            raise SpaceError("observation", observation, "holds a number that is not finite in float32; mend env")
        return flat_D

    def native_action(self, value_A: NDArray[Any]) -> Any:
        """Convert a flat action to what `env.step` takes. Only here are continuous actions clipped to the box."""
        match self.action_space:
            case spaces.Discrete(start=start):
                return int(value_A[0] + start)
            case spaces.MultiDiscrete(shape=shape, start=start, dtype=dtype):
                return (value_A.reshape(shape) + start).astype(dtype)
            case spaces.Box(shape=shape, low=low, high=high, dtype=dtype):
                return value_A.reshape(shape).clip(low, high).astype(dtype)
        raise AssertionError(self.action_space)

    def _method(self, name: str) -> Callable[..., Any] | None:
        """Return a method of the environment or of what it wraps; None if there is none."""
        method = ask_environment(f"env.{name}", _attribute, self.env, name)
        return method if callable(method) else None


class GymnasiumEpisode:
    """One episode. As soon as it is over, the environment is asked for its judgement in hindsight.

    The answer comes as `Feedback` with the last step. A method `hindsight_reward(state, action, next_state)` judges
    each step. An environment with goals also reveals the observations as they would have read with another goal: those
    of the whole episode with the goal that was achieved in the end, if `compute_reward` pays more for it; and those of
    each beginning of the episode with the goal that was achieved by then. An environment with a method
    `achieved(transitions)` gives the observations of the whole episode itself, or None.
    """

    def __init__(self, environment: GymnasiumEnvironment, seed: int, max_steps: int) -> None:
        """Make an episode that starts from `seed` and is truncated after `max_steps` steps."""
        self.environment, self.seed, self.max_steps = environment, seed, max_steps
        self.num_steps = 0
        self.potential: float | None = None
        self.transitions: list[tuple[Any, Any, Any]] = []

    def reset(self) -> NDArray[np.float32]:
        """Reset the environment and return the first observation, (D,).

        Raises:
            SpaceError: when the environment does not answer as Gymnasium's do.
            RewardError: when it raised, or gave no answer in time.
        """
        answer = ask_environment("env.reset", self.environment.env.reset, seed=self.seed)
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise SpaceError("env.reset", type(answer).__name__, "return (observation, info), as in Gymnasium")
        self.state = ask_environment("env.reset, observation", copy.deepcopy, answer[0])
        self.potential = _potential(_copy_of(answer[1]))
        return self.environment.flat_observation(self.state)

    def step(self, action: Action) -> StepResult:
        """Take an action in the environment and return its answer.

        Raises:
            SpaceError: when the environment does not answer as Gymnasium's do.
            RewardError: when the environment or a method that judges in hindsight raised or gave no answer in time, a
                reward is not a finite number, or what has to be true or false is neither.
        """
        native_action = self.environment.native_action(action.value)
        step = f"env.step, step {self.num_steps} of the episode"
        answer = ask_environment(step, self.environment.env.step, native_action)
        if not isinstance(answer, tuple) or len(answer) != 5:
            remedy = "return (observation, reward, terminated, truncated, info), as in Gymnasium"
            raise SpaceError("env.step", type(answer).__name__, remedy)
        next_state, reward, terminated, truncated, info = answer
        info = _copy_of(info)
        self._remember(step, native_action, next_state)
        terminated = truth(terminated, f"{step}, terminated")
        truncated = truth(truncated, f"{step}, truncated") or (self.num_steps == self.max_steps and not terminated)
        potential, self.potential = self.potential, _potential(info)
        return StepResult(
            self.environment.flat_observation(next_state),
            finite_reward(reward, step),
            terminated,
            truncated,
            info,
            potential,
            self._hindsight(info) if terminated or truncated else None,
        )

    def _remember(self, step: str, native_action: Any, next_state: Any) -> None:
        self.num_steps += 1
        environment = self.environment
        if environment.hindsight_reward or environment.compute_reward or environment.achieved:
            # copied, since some environments return the same array at every step
            next_state = ask_environment(f"{step}, observation", copy.deepcopy, next_state)
            self.transitions.append((self.state, native_action, next_state))
            self.state = next_state

    def _hindsight(self, info: Mapping[str, Any]) -> Feedback:
        judge = self.environment.hindsight_reward
        step_rewards = call_for_steps("env.hindsight_reward", judge, self.transitions) if judge else None
        has_goals = self.environment.compute_reward is not None
        knows_itself = self.environment.achieved is not None
        return Feedback(
            step_rewards=step_rewards,
            achieved_prompts=self._prompts_of_environment() if knows_itself else self._prompts_of_goal(info),
            achieved_prompts_by_step=GoalsOnTheWay(self.environment, self.transitions) if has_goals else None,
            sources=("env.hindsight_reward",) if judge else (),
        )

    def _prompts_of_environment(self) -> Observations | None:
        """Return the observations as the environment relabels them, (S,); None when it gives none."""
        assert self.environment.achieved is not None
        observations = ask_environment("env.achieved", self.environment.achieved, self.transitions)
        if observations is None:
            return None
        told = ask_environment("env.achieved", in_order, observations, len(self.transitions))
        if told is None or len(told) != len(self.transitions):
            what = shown(observations) if told is None else f"{len(told)} observations"
            remedy = f"return None, or a list with an observation for each of {len(self.transitions)} steps"
            raise SpaceError("env.achieved", what, remedy)
        return tuple(self.environment.flat_observation(each) for each in told)

    def _prompts_of_goal(self, info: Mapping[str, Any]) -> Observations | None:
        """Return the observations with the goal that was achieved in the end, (S,); None when that earns no more."""
        compute_reward = self.environment.compute_reward
        if compute_reward is None:
            return None
        _, _, end = self.transitions[-1]
        goal = end["achieved_goal"]
        asked, achieved = call_for_steps(
            "env.compute_reward", compute_reward, [(goal, end["desired_goal"], info), (goal, goal, info)]
        )
        if achieved <= asked:
            return None
        return _replace_goal(self.environment, self.transitions, goal)


class GoalsOnTheWay(Sequence[Observations]):
    """The beginnings of an episode: at index k the first k+1 observations, with the goal achieved after step k.

    An entry is made when it is looked up.
    """

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
        return _replace_goal(self.environment, beginning, beginning[-1][2]["achieved_goal"])


def _spaces(env: Any) -> tuple[spaces.Space[Any], spaces.Space[Any]]:
    return env.observation_space, env.action_space


def _attribute(env: Any, name: str) -> Any:
    """Return an attribute of an environment or of what it wraps; None if there is none."""
    return env.get_wrapper_attr(name) if env.has_wrapper_attr(name) else None


def _copy_of(info: Any) -> Any:
    """Return a plain copy of a dictionary, and anything else as it is."""
    return ask_environment("env, info", dict, info) if isinstance(info, Mapping) else info


def _check_choices(space: spaces.Space[Any], observation: Any) -> None:
    """Raise `ValueError` for a choice out of its range, which would be written as another choice when it is flattened.

    Boxes are left out: many environments leave their bounds a little.
    """
    match space:
        case spaces.Dict():
            for key, part in space.spaces.items():
                _check_choices(part, observation[key])
        case spaces.Discrete(start=start, n=size):
            _check_range(np.asarray(observation) - start, size, ())
        case spaces.MultiDiscrete(start=start, nvec=sizes):
            _check_range(np.asarray(observation) - start, sizes, sizes.shape)
        case spaces.MultiBinary(shape=shape):
            _check_range(np.asarray(observation, dtype=np.int64), 2, shape)


def _check_range(choices: NDArray[Any], sizes: Any, shape: tuple[int, ...]) -> None:
    if choices.size != np.prod(shape, dtype=int) or not ((choices >= 0) & (choices < sizes)).all():
        raise ValueError(choices)


def _potential(info: Any) -> float | None:
    """Return the potential of the state that is observed now; None if the environment gives none."""
    potential = info.get("potential") if isinstance(info, Mapping) else None
    return None if potential is None else finite_reward(potential, "env, info['potential']")


def _replace_goal(environment: GymnasiumEnvironment, transitions: Transitions, goal: Any) -> Observations:
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
