"""Gymnasium's spaces as flat vectors, and its episodes with what they reveal when they are over."""

import math
import sys
import time
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

from backsight.environments.gymnasium import GymnasiumEnvironment, GymnasiumEpisode
from backsight.errors import RewardError, SpaceError
from backsight.feedback.asking import patience
from backsight.interfaces import StepResult
from backsight.types import Action, Feedback

UNIT_BOX = spaces.Box(-1.0, 1.0, (2,), np.float32)
ZERO = np.zeros(1)


def box_of(low: list[float], high: list[float]) -> spaces.Box:
    return spaces.Box(np.array(low, np.float32), np.array(high, np.float32))


class Space(gym.Env):
    """Has spaces, and nothing else."""

    def __init__(self, observation_space: Any = UNIT_BOX, action_space: Any = spaces.Discrete(2)) -> None:  # noqa: B008
        self.observation_space, self.action_space = observation_space, action_space


class Unseeded(Space):
    """As the textbooks have it, from before Gymnasium."""

    def reset(self) -> Any:  # type: ignore[override]
        return np.zeros(2)


class Corridor(gym.Env):
    """Walks from a random place to the right; `state` is one array that every step changes in place."""

    observation_space = spaces.Box(-100.0, 100.0, (1,), np.float64)
    action_space = spaces.Discrete(2, start=5)

    def __init__(self, length: int = 4) -> None:
        self.length = length
        self.state = np.zeros(1)
        self.is_over = True
        self.asked: list[tuple[float, int, float]] = []

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.state[0], self.num_steps, self.is_over = self.np_random.integers(50), 0, False
        return self.state, {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action)
        self.state[0] += action - 5
        self.num_steps += 1
        self.is_over = self.num_steps == self.length
        return self.state, 1.0, self.is_over, False, {"steps": self.num_steps}


class Judged(Corridor):
    """Says afterwards that going right was worth 10."""

    def hindsight_reward(self, state: Any, action: int, next_state: Any) -> float:
        assert self.is_over
        self.asked.append((float(state[0]), action, float(next_state[0])))
        return 10.0 * (action - 5)


class Goals(gym.Env):
    """Two bits; an action flips one. The goal is to have both set."""

    def __init__(self) -> None:
        bits = spaces.MultiBinary(2)
        self.observation_space = spaces.Dict(observation=bits, achieved_goal=bits, desired_goal=bits)
        self.action_space = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self.bits = np.zeros(2, np.int8)
        return self._observation(), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.bits[action] ^= 1
        reward = self.compute_reward(self.bits, np.ones(2), {})
        return self._observation(), reward, reward == 0, False, {}

    def compute_reward(self, achieved: Any, desired: Any, info: dict[str, Any]) -> float:
        return 0.0 if np.array_equal(achieved, desired) else -1.0

    def _observation(self) -> dict[str, Any]:
        return {"observation": self.bits, "achieved_goal": self.bits, "desired_goal": np.ones(2, np.int8)}


def action_of(*values: float, dtype: type = np.int64) -> Action:
    return Action(np.array(values, dtype), torch.zeros(1))


def play(env: gym.Env, actions: list[int], seed: int = 0, max_steps: int = 100) -> list[StepResult]:
    episode = GymnasiumEpisode(GymnasiumEnvironment(env), seed, max_steps)
    episode.reset()
    return [episode.step(action_of(action)) for action in actions]


def feedback_of(env: gym.Env, actions: list[int], **settings: int) -> Feedback:
    feedback = play(env, actions, **settings)[-1].feedback
    assert isinstance(feedback, Feedback)
    return feedback


@pytest.mark.parametrize(
    ("space", "observation", "flat"),
    [
        (spaces.Box(-9.0, 9.0, (2, 2)), [[1.0, 2.0], [3.0, 4.0]], [1, 2, 3, 4]),
        (spaces.Box(0, 255, (2,), np.uint8), np.array([7, 255], np.uint8), [7, 255]),
        (spaces.Discrete(3, start=-1), np.int64(1), [0, 0, 1]),
        (spaces.MultiDiscrete([2, 3]), np.array([1, 0]), [0, 1, 1, 0, 0]),
        (spaces.MultiBinary(3), np.array([1, 0, 1], np.int8), [1, 0, 1]),
        (
            spaces.Dict(b=spaces.Discrete(2), a=spaces.Dict(x=spaces.MultiBinary(1), y=UNIT_BOX)),
            {"a": {"x": np.array([1]), "y": np.array([0.5, -0.5])}, "b": 1},
            [0, 1, 1, 0.5, -0.5],
        ),
    ],
)
def test_observations_become_flat_floats(space: Any, observation: Any, flat: list[float]) -> None:
    environment = GymnasiumEnvironment(Space(observation_space=space))
    flat_D = environment.flat_observation(observation)
    assert flat_D.dtype == np.float32
    assert flat_D.tolist() == flat
    assert environment.sample_observations(3).shape == (3, len(flat))


@pytest.mark.parametrize(
    ("space", "sizes", "action", "native"),
    [
        (spaces.Discrete(3, start=-1), (3,), action_of(2), 1),
        (spaces.MultiDiscrete([2, 3], start=[1, 5]), (2, 3), action_of(1, 0), np.array([2, 5])),
        (spaces.MultiDiscrete([[2], [3]]), (2, 3), action_of(1, 2), np.array([[1], [2]])),
        (
            box_of([-1.0, 0.0], [1.0, np.inf]),
            None,
            action_of(1.5, 7.0, dtype=np.float32),
            np.array([1.0, 7.0], np.float32),
        ),
        (spaces.Box(-1.0, 1.0, (1, 2)), None, action_of(-3.0, 0.5, dtype=np.float32), np.array([[-1.0, 0.5]])),
    ],
)
def test_actions_are_handed_over_as_the_environment_wants_them(
    space: Any, sizes: tuple[int, ...] | None, action: Action, native: Any
) -> None:
    environment = GymnasiumEnvironment(Space(action_space=space))
    handed_over = environment.native_action(action.value)
    np.testing.assert_array_equal(handed_over, native)
    assert space.contains(handed_over)
    assert environment.action_sizes == sizes


def test_exploration_starts_at_a_quarter_of_the_range() -> None:
    box = box_of([-2.0, 0.0], [2.0, np.inf])
    assert GymnasiumEnvironment(Space(action_space=box)).action_scale == (1.0, 1.0)
    assert GymnasiumEnvironment(Space(action_space=spaces.Box(0.0, 2.0, (2,)))).action_scale == (0.5, 0.5)


@pytest.mark.parametrize(
    ("env", "message"),
    [
        (Space(observation_space=spaces.Text(5)), r"env.observation_space: Text"),
        (Space(observation_space=spaces.Dict(a=UNIT_BOX, b=spaces.Text(5))), r"env.observation_space\['b'\]: Text"),
        (Space(observation_space=spaces.Tuple([UNIT_BOX])), "wrap it in FlattenObservation"),
        (Space(action_space=spaces.Tuple([spaces.Discrete(2)])), "env.action_space: Tuple.*use Discrete"),
        (Space(action_space=spaces.MultiBinary(2)), "env.action_space: MultiBinary"),
        (Space(action_space=spaces.Box(0, 3, (1,), np.int64)), "a Box of floats"),
        (gym.Env(), "env: Env: define observation_space and action_space"),
        (Unseeded(), "env.reset: .*seed.*: take the keyword arguments"),
        (object(), "env: object: is no gymnasium.Env"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(env: Any, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        GymnasiumEnvironment(env)


def test_samples_are_always_the_same_finite_and_cost_the_environment_nothing() -> None:
    largest = float(np.finfo(np.float32).max)
    huge, untouched = (spaces.Box(-largest, largest, (2,), np.float32, seed=3) for _ in range(2))
    first, again = (GymnasiumEnvironment(Space(observation_space=huge)).sample_observations(4) for _ in range(2))
    assert first.tolist() == again.tolist()
    assert np.abs(first).max() <= 1e4
    assert len(np.unique(first, axis=0)) > 1
    assert huge.sample().tolist() == untouched.sample().tolist()


def test_the_seed_settles_where_an_episode_starts() -> None:
    environment = GymnasiumEnvironment(Corridor())
    starts = [GymnasiumEpisode(environment, seed, 9).reset().tolist() for seed in (1, 2, 3, 1)]
    assert starts[0] == starts[3]
    assert len({start[0] for start in starts}) == 3


def test_an_episode_is_truncated_at_the_cap_and_not_when_it_is_over_anyway() -> None:
    ends = [(result.terminated, result.truncated) for result in play(Corridor(), [0, 1, 1], max_steps=3)]
    assert ends == [(False, False), (False, False), (False, True)]
    end = play(Corridor(3), [0, 1, 1], max_steps=3)[-1]
    assert (end.terminated, end.truncated) == (True, False)


def test_the_environment_judges_each_step_once_the_episode_is_over() -> None:
    env = Judged()
    results = play(env, [1, 0, 1, 1], seed=1)
    assert [result.feedback is not None for result in results] == [False, False, False, True]
    start = env.asked[0][0]
    # the states are those of their time, though the environment overwrote its array
    assert [(state - start, action, after - start) for state, action, after in env.asked] == [
        (0, 6, 1),
        (1, 5, 1),
        (1, 6, 2),
        (2, 6, 3),
    ]
    assert results[-1].feedback == Feedback(step_rewards=(10.0, 0.0, 10.0, 10.0), sources=("env.hindsight_reward",))
    assert results[-1].info["steps"] == 4


@pytest.mark.parametrize("wrapped", [lambda env: env, gym.wrappers.OrderEnforcing])
def test_the_judge_is_found_inside_a_wrapper(wrapped: Any) -> None:
    assert feedback_of(wrapped(Judged(1)), [1]).step_rewards == (10.0,)
    assert feedback_of(wrapped(Corridor(1)), [1]) == Feedback()


class Answers(Corridor):
    """Its judge gives one answer to the first step and another to the second."""

    def __init__(self, *answers: Any) -> None:
        super().__init__(len(answers))
        self.answers = iter(answers)

    def hindsight_reward(self, state: Any, action: int, next_state: Any) -> Any:
        answer = next(self.answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize("number", [2, True, np.float32(2.5), torch.tensor(0.5), np.array(1.5)])
def test_numbers_of_all_kinds_are_rewards(number: Any) -> None:
    assert feedback_of(Answers(number), [0]).step_rewards == (float(number),)


@pytest.mark.parametrize("answer", [None, math.nan, -math.inf, "1.0", [1.0], KeyError("angle")])
def test_a_judge_that_gives_no_number_is_named(answer: Any) -> None:
    with pytest.raises(RewardError, match=r"env.hindsight_reward, step 1: "):
        play(Answers(1.0, answer), [0, 0])


def test_a_failure_is_a_success_at_what_it_achieved() -> None:
    feedback = feedback_of(Goals(), [0, 0, 1], max_steps=3)
    assert feedback.step_rewards is None
    assert feedback.achieved_prompts is not None
    flat = [observation.tolist() for observation in feedback.achieved_prompts]
    # observation, achieved goal, desired goal: the last is what was achieved in the end
    assert flat == [[0, 0, 0, 0, 0, 1], [1, 0, 1, 0, 0, 1], [0, 0, 0, 0, 0, 1]]


def test_a_success_is_not_relabelled() -> None:
    assert feedback_of(Goals(), [0, 1]).achieved_prompts is None


def test_a_beginning_is_a_success_at_what_it_had_achieved_by_then() -> None:
    way = feedback_of(Goals(), [0, 0, 1], max_steps=3).achieved_prompts_by_step
    assert way is not None and len(way) == 3
    # observation, achieved goal, desired goal: the last is what was achieved after that step
    assert [each.tolist() for each in way[0]] == [[0, 0, 0, 0, 1, 0]]
    assert [each.tolist() for each in way[1]] == [[0, 0, 0, 0, 0, 0], [1, 0, 1, 0, 0, 0]]
    assert [each.tolist() for each in way[-1]] == [[0, 0, 0, 0, 0, 1], [1, 0, 1, 0, 0, 1], [0, 0, 0, 0, 0, 1]]
    assert [len(each) for each in way[1:]] == [2, 3]
    assert [len(each) for each in way] == [1, 2, 3]
    with pytest.raises(IndexError):
        way[3]


def test_a_success_has_goals_on_its_way_and_an_environment_without_goals_has_none() -> None:
    assert len(feedback_of(Goals(), [0, 1]).achieved_prompts_by_step or ()) == 2
    assert feedback_of(Judged(1), [1]).achieved_prompts_by_step is None


class Knows(Corridor):
    """Says by itself how the episode should have been asked for."""

    def __init__(self, answer: Any) -> None:
        super().__init__(2)
        self.answer = answer

    def achieved(self, transitions: Any) -> Any:
        assert [(action, after[0] - before[0]) for before, action, after in transitions] == [(6, 1), (5, 0)]
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_an_environment_may_know_by_itself_what_was_achieved() -> None:
    achieved = feedback_of(Knows([[1.0], np.array([2.0])]), [1, 0]).achieved_prompts
    assert achieved is not None and [each.tolist() for each in achieved] == [[1.0], [2.0]]
    assert feedback_of(Knows(None), [1, 0]).achieved_prompts is None


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        ([ZERO], SpaceError, "env.achieved: 1 observations: .* each of 2 steps"),
        ([ZERO, np.zeros(2)], SpaceError, "observation: .*has 2 numbers"),
        (KeyError("goal"), RewardError, "env.achieved: raised KeyError: 'goal'"),
        ({0: ZERO, 1: ZERO}, SpaceError, "env.achieved: {0: .*: return None, or a list"),
        (3, SpaceError, "env.achieved: 3: return None, or a list"),
    ],
)
def test_what_is_no_relabelled_episode_is_refused(answer: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        play(Knows(answer), [1, 0])


class Promising(Corridor):
    """Says how good the state is that is observed now."""

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        state, info = super().reset(**options)
        return state, info | {"potential": 0}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        *answer, info = super().step(action)
        return *answer, info | ({} if self.is_over else {"potential": np.float32(self.num_steps / 4)})


def test_the_potential_of_a_step_is_that_of_the_state_before_the_action() -> None:
    assert [result.potential for result in play(Promising(3), [0, 0, 0])] == [0.0, 0.25, 0.5]
    assert [result.potential for result in play(Corridor(2), [0, 0])] == [None, None]


class Broken(Corridor):
    """Answers what it is told to."""

    def __init__(self, reset: Any, step: Any) -> None:
        super().__init__()
        self.answers = reset, step

    def reset(self, **_: Any) -> Any:
        return self.answers[0]

    def step(self, action: int) -> Any:
        return self.answers[1]


@pytest.mark.parametrize(
    ("env", "error", "message"),
    [
        (Broken(ZERO, None), SpaceError, r"env.reset: ndarray: return \(observation, info\)"),
        (Broken((ZERO, {}), (ZERO, 1.0, True, {})), SpaceError, "env.step: tuple.*terminated, truncated"),
        (Broken((np.zeros(2), {}), None), SpaceError, "observation: .*has 2 numbers"),
        (Broken(({"a": 1}, {}), None), SpaceError, "observation: .*does not lie in env.observation_space"),
        (Broken((ZERO, {}), (ZERO, math.nan, True, False, {})), RewardError, "env.step, step 0"),
        (Broken((ZERO, {"potential": "high"}), None), RewardError, r"env, info\['potential'\]: 'high'"),
        (Broken((ZERO, {}), (ZERO, 10**400, True, False, {})), RewardError, "env.step, step 0 .*beyond what float32"),
        (Broken((ZERO, {}), (ZERO, 1.0, np.ones(2), False, {})), RewardError, "step 0 of the episode, terminated: arr"),
        (Broken((ZERO, {}), (ZERO, 1.0, False, "no", {})), RewardError, "truncated: 'no': give True or False"),
    ],
)
def test_an_environment_that_breaks_the_contract_is_told_so(env: gym.Env, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        play(env, [0])


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        (lambda: 1 / 0, "raised ZeroDivisionError: division by zero: mend the environment"),
        (lambda: sys.exit(3), r"called sys.exit\(3\): mend the environment"),
        (lambda: time.sleep(60), "hangs: gave no answer in 0.05 s"),
    ],
)
@pytest.mark.parametrize("place", ["reset", "step"])
def test_a_fault_of_the_environment_is_its_own(place: str, fault: Callable[[], Any], what: str) -> None:
    class Faulty(Corridor):
        def reset(self, **options: Any) -> Any:
            return fault() if place == "reset" else super().reset(**options)

        def step(self, action: int) -> Any:
            return fault()

    with patience(0.05), pytest.raises(RewardError, match=rf"^env\.{place}(, step 0 of the episode)?: {what}"):
        play(Faulty(), [0])


@pytest.mark.parametrize(
    ("space", "observation"),
    [
        (spaces.Discrete(3), -1),
        (spaces.Discrete(3, start=1), 0),
        (spaces.Discrete(3), np.array([1, 2])),
        (spaces.MultiDiscrete([3, 3]), np.array([0, -1])),
        (spaces.MultiDiscrete([3, 3]), np.array([4, 0])),
        (spaces.MultiBinary(2), np.array([2, 0])),
        (spaces.Dict(a=spaces.Discrete(2)), {"a": -1}),
        (box_of([-1.0], [1.0]), np.array([np.nan])),
        (box_of([-1.0], [1.0]), np.array([1e300])),
        (box_of([-1.0], [1.0]), [10**400]),
    ],
)
def test_an_observation_that_would_be_read_as_another_is_refused(space: Any, observation: Any) -> None:
    environment = GymnasiumEnvironment(Space(space, spaces.Discrete(2)))
    with pytest.raises(SpaceError, match="^observation: .*(does not lie in|not finite)"):
        environment.flat_observation(observation)


def _leave(*_: Any) -> Any:
    sys.exit(3)


@pytest.mark.parametrize(
    ("members", "place"),
    [
        ({"observation_space": property(_leave)}, "env"),
        ({"hindsight_reward": property(_leave)}, "env.hindsight_reward"),
        (
            {"reset": lambda self, *, seed: (type("Uncopied", (), {"__deepcopy__": _leave})(), {})},
            "env.reset, observation",
        ),
        (
            {"reset": lambda self, *, seed: (0, type("Info", (dict,), {"__iter__": _leave, "keys": _leave})(a=1))},
            "env, info",
        ),
    ],
)
def test_whatever_of_an_environment_ends_the_program_is_named(members: dict[str, Any], place: str) -> None:
    with pytest.raises(RewardError, match=rf"^{place}: called sys.exit\(3\): mend the environment"):
        play(type("Leaving", (Corridor,), members)(), [1])
