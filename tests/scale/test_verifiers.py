"""Environments of verifiers, played as they are: a turn, turns, tools, and those that do not work.

The environments are in the folder `environments`, as packages of anybody's would be; they know nothing of backsight.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import tiny_policy

import backsight
from backsight.environments.verifiers_task import VerifiersTask
from backsight.errors import ConfigError, DataError, RewardError
from backsight.presets.base import find_preset
from backsight.rollouts.collect import collect
from backsight.tasks.forms import PromptForm
from backsight.types import Action, Group, Observation, Sampling

pytest.importorskip(
    "verifiers.v1", reason="verifiers is not installed: pip install -c constraints.txt -e '.[verifiers]'"
)

pytestmark = pytest.mark.filterwarnings("ignore:The 'initial' parameter is deprecated:DeprecationWarning")  # its own

CALL = '<tool_call>{"name": "shop_price", "arguments": {"name": "WHAT"}}</tool_call>'


@pytest.fixture(autouse=True)
def environments(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = str(Path(__file__).parent / "environments")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", folder)  # tools are served by processes of their own


class Speaker:
    """Acts with what a function says of the prompt."""

    def __init__(self, say: Callable[[str], str]) -> None:
        self.say = say
        self.most = 0

    def act(self, observations: Sequence[Observation], sampling: Sampling, seeds: Sequence[int]) -> Iterator[Any]:
        self.most = max(self.most, len(observations))
        for index, prompt in enumerate(observations):
            yield index, Action((1,), torch.zeros(1), text=self.say(prompt))


def play(task: VerifiersTask, say: Callable[[str], str], count: int = 1, split: str = "train") -> list[Group]:
    items = task.items(split)
    starts = [items[number] for number in range(count)]
    speaker = Speaker(say)
    groups = dict(collect(speaker, task.episode, starts, 2, Sampling(), 0))  # type: ignore[arg-type]
    assert speaker.most == 2 * count  # all of them wait for the policy at the same time
    return [groups[number] for number in range(count)]


def test_one_turn_with_rewards_by_name() -> None:
    task = VerifiersTask("backwards", options={"letters": 4})
    assert [len(task.items(split)) for split in ("train", "test")] == [90, 10]
    assert not {item.columns["answer"] for item in task.items("train")} & {
        item.columns["answer"] for item in task.items("test")
    }
    groups = play(task, lambda prompt: prompt.split(": ")[3].split("\n")[0][::-1] + " ", count=20)
    for start, group in enumerate(groups):
        item = task.items("train")[start]
        word = item.columns["answer"][::-1]
        assert item.prompt == f"system: Answer with one word.\nuser: Reverse: {word}\nassistant:"
        for trajectory in group.trajectories:
            feedback = trajectory.steps[-1].feedback
            assert feedback is not None and feedback.reward == 1.0 + 0.5 and len(trajectory.steps) == 1
            assert feedback.rewards == {"is_reversed": 1.0, "right_letters": 1.0, "length": 4.0}
    feedback = play(task, lambda prompt: "?", split="test")[0].trajectories[0].steps[0].feedback
    assert feedback is not None and feedback.reward == 0.0 and feedback.rewards["length"] == 1.0


def test_turns_of_a_user_who_opens_the_conversation() -> None:
    task = VerifiersTask("guessing", train_size=30, test_size=5).in_form(PromptForm(is_chat=True))
    assert [len(task.items(split)) for split in ("train", "test")] == [30, 5]
    item = task.items("train")[0]
    assert item.prompt == [{"role": "user", "content": "Guess a number from 1 to 9."}]

    def by_halves(prompt: Any) -> str:
        low, high = 1, 10
        for said, heard in zip(prompt[1::2], prompt[2::2], strict=True):
            guess = int(said["content"])
            low, high = (guess + 1, high) if heard["content"] == "Higher." else (low, guess)
        return str((low + high) // 2)

    for start, group in enumerate(play(task, by_halves, count=8)):
        steps = group.trajectories[0].steps
        number = task.items("train")[start].columns["number"]
        feedback = steps[-1].feedback
        assert feedback is not None and feedback.rewards == {"won": 1.0, "guesses": float(len(steps))}
        assert steps[-1].action.text == str(number) and feedback.outcome == "ended by user_closed"
        assert [len(step.observation) for step in steps] == [1 + 2 * turn for turn in range(len(steps))]
        assert all(step.feedback is None for step in steps[:-1])


def test_a_limit_of_turns_and_a_prompt_without_room_cut_an_episode_off() -> None:
    task = VerifiersTask("guessing", max_turns=2)
    steps = play(task, lambda prompt: "0")[0].trajectories[0].steps
    assert len(steps) == 2 and steps[-1].truncated and steps[-1].feedback is not None
    assert steps[-1].feedback.rewards["guesses"] == 2.0
    item = task.items("train")[0]
    episode = task.episode(item, fits=lambda prompt: "Higher" not in prompt)
    episode.reset().result()
    last = episode.step(Action((1,), torch.zeros(1), text="0")).result()
    assert last.truncated and last.feedback is not None and last.feedback.rewards["guesses"] == 1.0


def test_tools_are_told_called_and_answered() -> None:
    task = VerifiersTask("shop", options={"task.tools.colocated": False})

    def say(prompt: str) -> str:
        found = re.search(r"tool: (.*)", prompt)
        what = re.search(r"What does (\w+) cost", prompt)
        return f"It costs {found[1]}." if found else CALL.replace("WHAT", what[1] if what else "")

    for group in play(task, say, count=2):
        first, last = group.trajectories[0].steps
        assert '"name": "shop_price"' in first.observation and "Look up what something costs." in first.observation
        assert f"assistant: {first.action.text}\ntool: " in last.observation
        assert last.feedback is not None and last.feedback.rewards == {"says_the_price": 1.0}
    steps = play(task, lambda prompt: "No idea." if "tool: error" in prompt else CALL.replace("shop_price", "buy"))
    assert steps[0].trajectories[0].steps[0].action.text.startswith("<tool_call>")
    assert "unknown tool 'buy'" in steps[0].trajectories[0].steps[1].observation


def test_a_policy_is_trained_and_evaluated(tmp_path: Path) -> None:
    tiny_policy().save(tmp_path / "model")
    small = {"stop": {"max_steps": 1}, "prompts_per_step": 2, "num_generations": 2, "max_completion_length": 4}
    run = backsight.finetune(
        str(tmp_path / "model"),
        "verifiers:backwards,count=20",
        eval_items=2,
        output_dir=str(tmp_path / "runs"),
        show_progress=False,
        **small,
    )
    scores = backsight.evaluate(run.folder, "verifiers:backwards,count=20", eval_items=2, max_completion_length=4)
    assert {"is_reversed", "right_letters", "length"} <= set(scores["test"].rewards)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no-such-env", "^task: verifiers:no-such-env: unknown; pip install the package that holds it"),
        ("old_style", "^task: verifiers:old_style: has no Taskset in __all__, as of verifiers 0.4"),
        ("two_seats", r"^task: verifiers:two_seats: is played by 2 agents \(asker, answerer\); choose one"),
        ("judged", "^task: verifiers:judged: asks a model at https://judge.test/v1, and A_KEY holds no key; set"),
        ("needs_more", "^verifiers:needs_more: needs the package a_package_that_is_not_there: install it"),
        ("odd_ones,cuont=3", "^verifiers:odd_ones, option: cuont: unknown; did you mean 'count'"),
        ("odd_ones,count=x", "^verifiers:odd_ones, count: x: Input should be a valid integer"),
        ("odd_ones,count", "^verifiers option: count: write it as name=value"),
    ],
)
def test_an_environment_that_cannot_be_played_gets_one_line(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        find_preset(f"verifiers:{name}")
    assert "\n" not in str(caught.value)


def test_a_judge_with_a_key_is_welcome(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "secret")
    assert find_preset("verifiers:judged").name == "verifiers:judged"


def test_an_environment_that_fails_is_named() -> None:
    with pytest.raises(RewardError, match="^verifiers:odd_ones, load: raised KeyError: 'NO_SUCH_VARIABLE': mend"):
        VerifiersTask("odd_ones", options={"key": "NO_SUCH_VARIABLE"})
    with pytest.raises(DataError, match="^verifiers:odd_ones, train: 0 tasks"):
        VerifiersTask("odd_ones", options={"count": 1})
    message = "^verifiers:odd_ones, turn 0 of the episode: raised TaskError: .*no such answer"
    with pytest.raises(RewardError, match=message):
        play(VerifiersTask("odd_ones", options={"task.raises": True}), lambda prompt: "a")
