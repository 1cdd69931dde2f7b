"""Episodes of text environments: what the policy sees at each turn, and what is revealed at the end."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from backsight.environments.text import TextEpisode, first_observation
from backsight.errors import RewardError, SpaceError
from backsight.feedback.asking import patience
from backsight.interfaces import Pending
from backsight.types import Action, Feedback


def say(text: str | None) -> Action:
    return Action((1,), torch.zeros(1), text)


class Counter:
    """Count up to the number that is asked for: `more` adds one, anything else nothing."""

    def __init__(self, goal: int = 2) -> None:
        self.goal = goal
        self.is_closed = False

    def reset(self, *, seed: int) -> tuple[Any, dict[str, Any]]:
        self.count, self.first = 0, seed
        return self.told(self.goal, 0), {"potential": 0}

    def told(self, goal: int, count: int) -> Any:
        return f"want {goal}, have {count}:"

    def step(self, action: str) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        more = action == " more"
        self.count += more
        done = self.count == self.goal
        info: dict[str, Any] = {"potential": self.count, "success": done, "outcome": f"counted to {self.count}"}
        if not more:
            info["feedback"] = f"what is{action}?"
        return self.told(self.goal, self.count), 1.0 if done else 0.0, done, False, info

    def achieved(self, transitions: list[tuple[Any, str, Any]]) -> list[Any] | None:
        if self.count == 0:
            return None
        counts = [0]
        for _, said, _ in transitions[:-1]:
            counts.append(counts[-1] + (said == " more"))
        return [self.told(self.count, count) for count in counts]

    def close(self) -> None:
        self.is_closed = True


class ChatCounter(Counter):
    """The same in messages; a message of the system comes first."""

    def told(self, goal: int, count: int) -> Any:
        asked = {"role": "user", "content": f"have {count}"}
        return [{"role": "system", "content": f"want {goal}"}, asked] if count == 0 else [asked]


class Answers:
    """Gives the answers it is told to give."""

    def __init__(self, reset: Any = ("start", {}), step: Any = ("next", 0.0, False, False, {})) -> None:
        self.answers = {"reset": reset, "step": step}

    def reset(self, *, seed: int) -> Any:
        return self.answers["reset"]

    def step(self, action: str) -> Any:
        return self.answers["step"]


class Mute:
    """Cannot be written down."""

    def __str__(self) -> str:
        return str(1 / 0)


def test_a_prompt_is_what_was_observed_and_said_so_far() -> None:
    episode = TextEpisode(Counter(3), seed=0, max_turns=9)
    assert episode.reset() == "want 3, have 0:"
    assert episode.step(say(" more")).observation == "want 3, have 0: more\nwant 3, have 1:"
    result = episode.step(say(" less"))
    assert result.observation == "want 3, have 0: more\nwant 3, have 1: less\nwant 3, have 1:"
    assert (result.reward, result.terminated, result.truncated) == (0.0, False, False)
    assert result.feedback is None


@pytest.mark.parametrize(
    ("memory", "seen"),
    [
        (0, "want 3, have 2:"),
        (1, "want 3, have 1: more\nwant 3, have 2:"),
        (9, "want 3, have 0: more\nwant 3, have 1: more\nwant 3, have 2:"),
    ],
)
def test_memory_limits_the_turns_that_are_seen(memory: int, seen: str) -> None:
    episode = TextEpisode(Counter(3), seed=0, max_turns=9, memory=memory)
    episode.reset()
    episode.step(say(" more"))
    assert episode.step(say(" more")).observation == seen


def test_a_success_is_revealed_and_the_environment_closed() -> None:
    env = Counter(1)
    episode = TextEpisode(env, seed=0, max_turns=9)
    episode.reset()
    result = episode.step(say(" more"))
    assert (result.reward, result.terminated, result.truncated) == (1.0, True, False)
    assert result.feedback == Feedback(rewards={"success": 1.0}, success=True, outcome="counted to 1", sources=("env",))
    assert env.is_closed


def test_named_rewards_of_the_last_turn_are_those_of_the_episode() -> None:
    class Polite(Counter):
        def step(self, action: str) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
            *answer, info = super().step(action)
            return *answer, info | {"rewards": {"politeness": self.count / 4, "turns": True}}

    episode = TextEpisode(Polite(2), seed=0, max_turns=9)
    episode.reset()
    assert episode.step(say(" more")).feedback is None
    feedback = episode.step(say(" more")).feedback
    assert feedback.rewards == {"politeness": 0.5, "turns": 1.0, "success": 1.0}
    assert feedback.reward is None  # they inform; what is paid is the reward of each step


def test_a_failure_is_truncated_and_told_what_it_achieved() -> None:
    episode = TextEpisode(Counter(5), seed=0, max_turns=3)
    episode.reset()
    for text in (" more", " less", " more"):
        result = episode.step(say(text))
    assert (result.terminated, result.truncated) == (False, True)
    assert result.feedback == Feedback(
        rewards={"success": 0.0},
        success=False,
        text="what is less?",
        outcome="counted to 2",
        achieved_prompts=(
            "want 2, have 0:",
            "want 2, have 0: more\nwant 2, have 1:",
            "want 2, have 0: more\nwant 2, have 1: less\nwant 2, have 1:",
        ),
        sources=("env",),
    )


def test_nothing_achieved_is_nothing_to_relabel() -> None:
    episode = TextEpisode(Counter(5), seed=0, max_turns=1)
    episode.reset()
    assert episode.step(say(" less")).feedback.achieved_prompts is None


def test_an_environment_that_tells_nothing_reveals_nothing() -> None:
    episode = TextEpisode(Answers(), seed=0, max_turns=1)
    episode.reset()
    assert episode.step(say("x")).feedback == Feedback(sources=("env",))


def test_the_potential_of_a_step_is_that_of_the_state_before_the_action() -> None:
    episode = TextEpisode(Counter(3), seed=0, max_turns=9)
    episode.reset()
    assert [episode.step(say(" more")).potential for _ in range(3)] == [0.0, 1.0, 2.0]
    silent = TextEpisode(Answers(), seed=0, max_turns=9)
    silent.reset()
    assert silent.step(say("x")).potential is None


def test_text_can_be_spoken_in_messages() -> None:
    episode = TextEpisode(Counter(3), seed=0, max_turns=9, chat=True)
    assert episode.reset() == [{"role": "user", "content": "want 3, have 0:"}]
    assert episode.step(say(" more")).observation == [
        {"role": "user", "content": "want 3, have 0:"},
        {"role": "assistant", "content": " more"},
        {"role": "user", "content": "want 3, have 1:"},
    ]


def test_messages_of_the_system_are_never_forgotten() -> None:
    episode = TextEpisode(ChatCounter(5), seed=0, max_turns=2, memory=0)
    system = {"role": "system", "content": "want 5"}
    assert episode.reset() == [system, {"role": "user", "content": "have 0"}]
    assert episode.step(say(" more")).observation == [system, {"role": "user", "content": "have 1"}]
    achieved = episode.step(say(" more")).feedback.achieved_prompts
    system = {"role": "system", "content": "want 2"}
    assert achieved == (
        [system, {"role": "user", "content": "have 0"}],
        [system, {"role": "user", "content": "have 1"}],
    )


def test_what_the_environment_changes_later_does_not_change_what_was_seen() -> None:
    messages = [{"role": "user", "content": "start"}]
    episode = TextEpisode(Answers(reset=(messages, {})), seed=0, max_turns=9)
    seen = episode.reset()
    messages[0]["content"] = "changed"
    messages.append({"role": "user", "content": "more"})
    assert seen == [{"role": "user", "content": "start"}]


def test_an_episode_ends_when_the_next_prompt_would_not_fit() -> None:
    episode = TextEpisode(Counter(9), seed=0, max_turns=9, fits=lambda prompt: len(prompt) < 50)
    episode.reset()
    assert not episode.step(say(" more")).truncated  # 36 characters
    result = episode.step(say(" more"))
    assert result.truncated and result.feedback.success is False


@pytest.mark.parametrize(
    ("env", "complaint"),
    [
        (object(), "env: object: has no method reset"),
        (Answers(reset="start"), r"env.reset: str: return \(observation, info\)"),
        (Answers(reset=(3, {})), "env.reset, observation: 3: give text"),
        (Answers(reset=([], {})), r"env.reset, observation: \[\]: give text"),
        (Answers(reset=([{"role": "user"}], {})), "env.reset, observation: .*: give text"),
        (Answers(reset=("start", None)), "env.reset, info: NoneType: return a dictionary"),
        (Answers(step="next"), r"env.step: str: return \(observation, reward"),
        (Answers(step=(None, 0, True, False, {})), "env.step, observation: None: give text"),
        (Answers(step=("next", 0, True, False, {"rewards": [1]})), r"info\['rewards'\]: list: return numbers by name"),
        (Answers(step=([{"role": "user", "content": "x"}], 0, True, False, {})), "gave text at its start"),
    ],
)
def test_bad_answers_of_an_environment_are_named(env: Any, complaint: str) -> None:
    with pytest.raises(SpaceError, match=complaint):
        episode = TextEpisode(env, seed=0, max_turns=9)
        episode.reset()
        episode.step(say("x"))


def test_reset_has_to_take_a_seed() -> None:
    class Unseeded(Answers):
        def reset(self) -> Any:  # type: ignore[override]
            return "start", {}

    with pytest.raises(SpaceError, match="env.reset: .*: take the keyword argument seed"):
        TextEpisode(Unseeded(), seed=0, max_turns=9).reset()


@pytest.mark.parametrize(
    ("step", "complaint"),
    [
        (("next", float("nan"), False, False, {}), "env.step, turn 0 of the episode: nan: a reward is a finite number"),
        (("next", 0.0, False, False, {"potential": "high"}), r"env.step, info\['potential'\]"),
        (("next", 0.0, True, False, {"rewards": {"goal": None}}), r"env.step, info\['rewards'\]\['goal'\]: None"),
        (("next", 10**400, True, False, {}), "env.step, turn 0 of the episode: 1000.*beyond what float32 holds"),
        (("next", torch.ones(2), True, False, {}), "env.step, turn 0 of the episode: tensor.*is a finite number"),
        (("next", 0.0, True, False, {"success": np.array([1, 0])}), r"info\['success'\]: array.*: give True or False"),
        (("next", 0.0, True, False, {"success": "no"}), r"info\['success'\]: 'no': give True or False"),
        (("next", 0.0, np.array([True, False]), False, {}), "turn 0 of the episode, terminated: array.*: give True"),
        (("next", 0.0, False, None, {}), "turn 0 of the episode, truncated: None: give True or False"),
        (("next", 0.0, True, False, {"outcome": Mute()}), r"info\['outcome'\]: raised ZeroDivisionError"),
    ],
)
def test_numbers_truth_values_and_words_are_what_they_should_be(step: Any, complaint: str) -> None:
    episode = TextEpisode(Answers(step=step), seed=0, max_turns=9)
    episode.reset()
    with pytest.raises(RewardError, match=complaint):
        episode.step(say("x"))


@pytest.mark.parametrize(
    ("achieved", "complaint"),
    [
        (lambda transitions: transitions[7], "env.achieved: raised IndexError"),
        (lambda transitions: ["a", "b"], "env.achieved: 2 observations: give one a turn: 1"),
        (lambda transitions: {"a": 1}, "env.achieved: {'a': 1}: give one a turn: 1"),
        (lambda transitions: 3, "env.achieved: 3: give one a turn: 1"),
    ],
)
def test_a_wrong_account_of_what_was_achieved_is_named(achieved: Any, complaint: str) -> None:
    env = Answers()
    env.achieved = achieved  # type: ignore[attr-defined]
    episode = TextEpisode(env, seed=0, max_turns=1)
    episode.reset()
    with pytest.raises(RewardError, match=complaint):
        episode.step(say("x"))


FAULTS: list[tuple[Callable[[], Any], str]] = [
    (lambda: 1 / 0, "raised ZeroDivisionError: division by zero: mend the environment"),
    (lambda: sys.exit(3), r"called sys.exit\(3\): mend the environment"),
    (lambda: time.sleep(60), "hangs: gave no answer in 0.05 s"),
]


@pytest.mark.parametrize(("fault", "what"), FAULTS)
@pytest.mark.parametrize("place", ["reset", "step", "achieved", "close"])
def test_a_fault_of_the_environment_is_its_own(place: str, fault: Callable[[], Any], what: str) -> None:
    class Faulty(Counter):
        def __getattribute__(self, name: str) -> Any:
            # a method that does as it is told, in place of the one that is asked for
            if name != place:
                return super().__getattribute__(name)
            return lambda *_, seed=0: fault()

    with patience(0.05), pytest.raises(RewardError, match=rf"^env\.{place}(, turn 0 of the episode)?: {what}"):
        episode = TextEpisode(Faulty(), seed=0, max_turns=1)
        episode.reset()
        episode.step(say("x"))


def test_what_the_environment_does_to_its_transitions_does_not_change_what_was_seen() -> None:
    class Vandal(ChatCounter):
        def achieved(self, transitions: list[tuple[Any, str, Any]]) -> None:
            for before, _, after in transitions:
                before.clear()
                after.clear()

    episode = TextEpisode(Vandal(5), seed=0, max_turns=1)
    episode.reset()
    assert episode.step(say("x")).observation[0] == {"role": "system", "content": "want 5"}


def test_a_policy_that_does_not_speak_is_refused() -> None:
    episode = TextEpisode(Counter(), seed=0, max_turns=1)
    episode.reset()
    with pytest.raises(SpaceError, match="needs a policy that speaks"):
        episode.step(say(None))


def _leave(*_: Any) -> Any:
    sys.exit(3)


@pytest.mark.parametrize(
    ("members", "place"),
    [
        ({"close": property(_leave)}, "env.close"),
        ({"achieved": property(_leave)}, "env.achieved"),
        ({"achieved": lambda self, transitions: (_leave() for _ in transitions)}, "env.achieved"),
        ({"reset": property(_leave)}, "env.reset"),
        (
            {"reset": lambda self, *, seed: ("a", type("Info", (dict,), {"__iter__": _leave, "keys": _leave})(a=1))},
            "env.reset, info",
        ),
    ],
)
def test_whatever_of_an_environment_ends_the_program_is_named(members: dict[str, Any], place: str) -> None:
    episode = TextEpisode(type("Leaving", (Counter,), members)(), seed=0, max_turns=1)
    with pytest.raises(RewardError, match=rf"^{place}: called sys.exit\(3\): mend the environment"):
        episode.reset()
        episode.step(say(" other"))


class Meeting:
    """Waits in each call until as many others wait as there are environments."""

    def __init__(self, size: int) -> None:
        self.size, self.waiting, self.most = size, 0, 0
        self.turn = asyncio.Event()

    async def wait(self) -> None:
        turn, self.waiting = self.turn, self.waiting + 1
        self.most = max(self.most, self.waiting)
        if self.waiting == self.size:
            self.waiting, self.turn = 0, asyncio.Event()
            turn.set()
        await asyncio.wait_for(turn.wait(), timeout=20)


class Remote(Counter):
    """A counter behind a network."""

    def __init__(self, meeting: Meeting) -> None:
        super().__init__()
        self.meeting = meeting

    async def reset(self, *, seed: int) -> tuple[Any, dict[str, Any]]:  # type: ignore[override]
        await self.meeting.wait()
        return super().reset(seed=seed)

    async def step(self, action: str) -> tuple[Any, Any, bool, bool, dict[str, Any]]:  # type: ignore[override]
        await self.meeting.wait()
        return super().step(action)

    async def close(self) -> None:  # type: ignore[override]
        await self.meeting.wait()
        super().close()


def test_asynchronous_environments_wait_together_and_are_closed() -> None:
    meeting = Meeting(300)
    episodes = [TextEpisode(Remote(meeting), seed=0, max_turns=9) for _ in range(300)]
    for answers in ([each.reset() for each in episodes], [each.step(say(" more")) for each in episodes]):
        seen = [each.result() for each in answers if isinstance(each, Pending)]
        assert len(seen) == 300
    last = [each.step(say(" more")) for each in episodes]
    closing = [each.wait() for each in last if isinstance(each, Pending)]
    results = [each.result() for each in closing if isinstance(each, Pending)]
    assert meeting.most == 300
    assert all(each.terminated and each.reward == 1.0 and each.feedback.success for each in results)
    assert all(each.env.is_closed for each in episodes)


def test_the_first_prompt_of_an_asynchronous_environment() -> None:
    env = Remote(Meeting(1))
    assert first_observation(env, 0) == "want 2, have 0:" and env.is_closed


def test_an_asynchronous_environment_that_hangs_or_raises_is_named() -> None:
    class Hangs(Remote):
        async def reset(self, *, seed: int) -> Any:  # type: ignore[override]
            await asyncio.sleep(60)

        async def step(self, action: str) -> Any:  # type: ignore[override]
            raise ValueError("connection lost")

    env = Hangs(Meeting(1))
    reset = TextEpisode(env, seed=0, max_turns=9).reset()
    with patience(0.05), pytest.raises(RewardError, match=r"^env\.reset: hangs: gave no answer in 0\.05 s"):
        reset.result()
    step = TextEpisode(env, seed=0, max_turns=9).step(say(" more"))
    message = r"^env\.step, turn 0 of the episode: raised ValueError: connection lost: mend the environment"
    with pytest.raises(RewardError, match=message):
        step.result()
