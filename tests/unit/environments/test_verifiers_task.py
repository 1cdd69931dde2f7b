"""Episodes of verifiers, with an environment that stands for one of its own; tests/scale/ has real ones."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
import torch

from backsight.environments.openai_chat import Outcome, Reply, Turn
from backsight.environments.verifiers_task import VerifiersEpisode, VerifiersTask, write_prompt
from backsight.errors import ConfigError, RewardError, SpaceError
from backsight.feedback.asking import patience
from backsight.feedback.daemons import EventLoop
from backsight.tasks.forms import PromptForm
from backsight.types import Action, Messages, Observation

LOOP = EventLoop("test")
CHAT = PromptForm(is_chat=True)
TOOLS = [{"type": "function", "function": {"name": "find"}}]
WON = Outcome(1.5, {"won": 1.0, "length": 3.0}, "user_closed", False, None)


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


class Script:
    """Says what it is told to say, and keeps what it is answered."""

    def __init__(self, *said: Turn | Outcome) -> None:
        self.said, self.heard = list(said), list[Reply | None]()

    async def begin(self) -> tuple[Script, Turn | Outcome]:
        return self, self.said.pop(0)

    async def reply(self, reply: Reply | None) -> Turn | Outcome:
        self.heard.append(reply)
        await asyncio.sleep(60 if not self.said else 0)
        return self.said.pop(0)


def played(script: Script, form: PromptForm = CHAT, fits: Any = None) -> VerifiersEpisode:
    return VerifiersEpisode("verifiers:it", LOOP, script.begin, form, fits)


def say(text: str | None, *, is_truncated: bool = False) -> Action:
    return Action((1,), torch.zeros(1), text, is_truncated=is_truncated)


def test_an_episode_with_a_tool() -> None:
    asked = Turn([user("how much?")], TOOLS)
    said = '<tool_call>{"name": "find", "arguments": {}}</tool_call>'
    called = {"role": "assistant", "content": "", "tool_calls": [{"id": "call_0_0"}]}
    script = Script(asked, Turn([user("how much?"), called, {"role": "tool", "content": "17"}], TOOLS), WON)
    episode = played(script)
    first = episode.reset().result()
    assert first[0]["role"] == "system" and "find" in first[0]["content"] and first[1] == user("how much?")
    second = episode.step(say(said)).result()
    assert second.observation == [*first, {"role": "assistant", "content": said}, {"role": "tool", "content": "17"}]
    assert not second.terminated and second.feedback is None and second.reward is None
    last = episode.step(say("17")).result()
    assert (last.terminated, last.truncated, last.observation) == (True, False, None)
    assert last.feedback is not None and last.feedback.reward == 1.5 and last.feedback.rewards == WON.rewards
    assert last.feedback.outcome == "ended by user_closed" and last.feedback.sources == ("verifiers:it",)
    assert script.heard[0] is not None and script.heard[0].calls[0]["function"]["name"] == "find"
    assert script.heard[1] == Reply("17", [])


def test_a_prompt_that_leaves_no_room_is_refused_and_cuts_the_episode_off() -> None:
    script = Script(Turn([user("a")], []), Turn([user("a long one")], []), WON)
    episode = played(script, fits=lambda prompt: len(prompt[0]["content"]) < 5)
    episode.reset().result()
    last = episode.step(say("b")).result()
    assert (last.terminated, last.truncated) == (False, True) and script.heard == [Reply("b", []), None]
    assert last.feedback is not None and last.feedback.reward == 1.5


@pytest.mark.parametrize(("cut", "limit"), [(True, False), (False, True)])
def test_an_answer_or_an_episode_that_a_limit_ended_is_truncated(cut: bool, limit: bool) -> None:
    script = Script(Turn([user("a")], []), Outcome(0.0, {}, "max_turns", limit, None))
    episode = played(script)
    episode.reset().result()
    last = episode.step(say("b", is_truncated=cut)).result()
    assert last.truncated and not last.terminated and script.heard == [Reply("b", [], cut)]


def test_what_goes_wrong_is_named() -> None:
    failed = Outcome(0.0, {}, None, False, "raised TaskError: no such answer")
    with pytest.raises(RewardError, match="^verifiers:it: raised TaskError: no such answer: mend the environment"):
        played(Script(failed)).reset().result()
    with pytest.raises(RewardError, match="^verifiers:it: asked the policy nothing: mend"):
        played(Script(WON)).reset().result()
    episode = played(Script(Turn([user("a")], []), failed))
    episode.reset().result()
    with pytest.raises(RewardError, match="^verifiers:it, turn 0 of the episode: raised TaskError"):
        episode.step(say("b")).result()
    episode = played(Script(Turn([user("a")], [])))
    episode.reset().result()
    with pytest.raises(SpaceError, match=r"action\.text"):
        episode.step(say(None))
    with patience(0.05), pytest.raises(RewardError, match="^verifiers:it, turn 0 of the episode: hangs"):
        episode.step(say("b")).result()


SYSTEM = {"role": "system", "content": "Be brief."}


@pytest.mark.parametrize(
    ("form", "messages", "tools", "prompt"),
    [
        (CHAT, [SYSTEM, user("a")], "", [SYSTEM, user("a")]),
        (CHAT, [SYSTEM, user("a")], "T", [{"role": "system", "content": "Be brief.\n\nT"}, user("a")]),
        (CHAT, [user("a")], "T", [{"role": "system", "content": "T"}, user("a")]),
        (
            PromptForm(True, system_prompt="S"),
            [SYSTEM, user("a")],
            "T",
            [{"role": "system", "content": "S\n\nT"}, user("a")],
        ),
        (PromptForm(True, takes_system=False), [SYSTEM, user("a")], "", [user("Be brief.\n\na")]),
        (PromptForm(True, takes_system=False), [user("a")], "T", [user("T\n\na")]),
        (PromptForm(), [user("a")], "", "a\n"),
        (PromptForm(), [SYSTEM, user("a")], "", "system: Be brief.\nuser: a\nassistant:"),
    ],
)
def test_conversations_in_the_form_of_the_run(
    form: PromptForm, messages: Messages, tools: str, prompt: Observation
) -> None:
    assert write_prompt(form, messages, tools) == prompt


def test_without_the_package_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "backsight.environments.verifiers", raising=False)
    monkeypatch.delattr("backsight.environments.verifiers", raising=False)
    for name in ("verifiers", "verifiers.v1"):
        monkeypatch.setitem(sys.modules, name, None)
    message = r"^task: verifiers:it: verifiers is not installed: pip install 'backsight\[verifiers\]'$"
    with pytest.raises(ConfigError, match=message):
        VerifiersTask("it")


@pytest.mark.parametrize("field", ["train_size", "test_size", "max_turns"])
def test_numbers_that_are_too_small(field: str) -> None:
    with pytest.raises(ConfigError, match=f"^{field}: 0: has to be a whole number, at least 1"):
        VerifiersTask("it", **{field: 0})
