"""Environments of the package verifiers as a task: its items, and its episodes as the policy plays them.

    VerifiersTask("my-env", options={"min_turns": 2})      or, as a preset,  verifiers:my-env,min_turns=2

Every request of the environment to a model is a step: its prompt is the conversation so far, in the form of the run,
and its response are the tokens that the policy sampled. The episode ends as the environment says; its reward is the
weighted sum of verifiers, and the parts of it, with the metrics, are the named rewards.
"""

from __future__ import annotations

import copy
import typing
from collections.abc import Awaitable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

from backsight.environments.openai_chat import Outcome, Reply, Turn, describe_tools, read_messages, split_calls
from backsight.errors import ConfigError, DataError, RewardError, SpaceError
from backsight.feedback.asking import ask
from backsight.feedback.daemons import EventLoop
from backsight.feedback.environment import EnvironmentFeedback, ask_environment
from backsight.interfaces import Pending, StepResult
from backsight.tasks.base import Fits, Item, LazyItems, Task, draw_indices, find_split
from backsight.tasks.forms import INSTRUCTION, PLAIN, SHOTS, PromptForm
from backsight.tasks.recorded import transcript
from backsight.types import Action, Feedback, Messages, Observation

if TYPE_CHECKING:
    from types import ModuleType

HELD_OUT = 10
"""One task of so many is held out for evaluation where the environment has no split for that."""
EVALUATION = ("test", "validation", "val", "eval", "dev")
"""Names of splits that are for evaluation; the first that an environment has is taken."""


class VerifiersTask(Task):
    """An environment of verifiers. Where its settings have a `split`, evaluation uses another one than training.

    If not, one task of ten is held out, at most `test_size` of them, drawn the same in every run; of an environment
    that makes tasks for ever, the first `test_size`.

    Args:
        environment: name of an installed environment, as verifiers finds it.
        options: settings of its taskset by name; those inside another have a dot: ``task.power``.
        eval_options: settings that differ for evaluation.
        train_size: number of tasks to train on, for an environment that makes them for ever.
        test_size: most tasks that are held out.
        max_turns: number of answers after which an episode is cut off.

    Raises:
        ConfigError: when verifiers or the environment is not installed, does not load or is not for this; see
            `open_environment`.
        DataError: when it has too few tasks.
    """

    eval_splits = ("test",)

    def __init__(
        self,
        environment: str,
        *,
        options: Mapping[str, Any] | None = None,
        eval_options: Mapping[str, Any] | None = None,
        train_size: int = 1000,
        test_size: int = 200,
        max_turns: int = 20,
    ) -> None:
        for field, value in (("train_size", train_size), ("test_size", test_size), ("max_turns", max_turns)):
            if not isinstance(value, int) or value < 1:
                raise ConfigError(field, value, "has to be a whole number, at least 1")
        self.name, self.form = f"verifiers:{environment}", PLAIN
        package = _package(self.name)
        env = package.open_environment(environment, options or {}, max_turns)
        apart = eval_options or _evaluation_split(env.taskset.config)
        if apart:
            other = package.open_environment(environment, {**(options or {}), **apart}, max_turns)
            tasks = {"train": self._tasks(env, train_size), "test": self._tasks(other, test_size)}
        else:
            tasks = _held_out(self._tasks(env, train_size + test_size), env.taskset.bounded, test_size)
        for split, own in tasks.items():
            if not own:
                remedy = "has no tasks for it; choose other options, or eval_options for evaluation"
                raise DataError(f"{self.name}, {split}", "0 tasks", remedy)
        self._splits, self._loop = tasks, EventLoop(self.name)
        world = package.World(env)
        self._worlds = {"train": world, "test": package.World(other) if apart else world}

    def items(self, split: str) -> Sequence[Item]:
        """Return the items of a split. The prompt of one whose user opens the conversation comes from a first request.

        Raises:
            DataError: when there is no such split.
        """
        tasks = find_split(self._splits, split)
        return LazyItems(len(tasks), lambda number: self._item(split, number))

    def in_form(self, form: PromptForm) -> Self:
        """Return the task with its conversations in this form.

        Raises:
            ConfigError: when there is to be an instruction, or examples.
        """
        form.refuse(self.name, INSTRUCTION, SHOTS)
        twin = copy.copy(self)
        twin.form = form
        return twin

    def feedback(self) -> EnvironmentFeedback:
        return EnvironmentFeedback()

    def episode(self, item: Item, fits: Fits | None = None) -> VerifiersEpisode:
        split, _, number = item.id.partition("-")
        world, task = self._worlds[split], self._splits[split][int(number)]
        return VerifiersEpisode(self.name, self._loop, partial(world.begin, task), self.form, fits)

    def _item(self, split: str, number: int) -> Item:
        data = self._splits[split][number].data
        columns = data.model_dump(mode="json", exclude={"prompt"}, exclude_defaults=True)
        item = Item(f"{split}-{number}", "", columns=columns)
        return Item(item.id, self._first_prompt(item, data), columns=columns)

    def _first_prompt(self, item: Item, data: Any) -> Observation:
        if data.prompt is None:  # the environment's own user opens the conversation
            episode = self.episode(item)
            prompt = episode.reset().result()
            episode.leave()
            return prompt
        said = [{"role": "user", "content": data.prompt}] if isinstance(data.prompt, str) else data.prompt
        wire = [each if isinstance(each, dict) else each.model_dump() for each in said]
        system = [{"role": "system", "content": data.system_prompt}] if data.system_prompt else []
        return write_prompt(self.form, read_messages([*system, *wire], {}), "")

    def _tasks(self, env: Any, most: int) -> Sequence[Any]:
        """Return all tasks of an environment, or the first if it makes them for ever."""

        def load() -> list[Any]:
            return list(env.taskset if env.taskset.bounded else islice(env.taskset, most))

        return ask(f"{self.name}, load", "mend the environment, or give it what it needs", load)


class VerifiersEpisode:
    """One episode. It goes on in the event loop of the environment while others are asked and answered.

    Args:
        name: name of the environment, for messages.
        loop: the event loop of the environment.
        begin: a function that begins the episode in that loop.
        form: the form of the prompts.
        fits: returns whether a prompt leaves room for an answer. If one does not, the environment is told so, and ends
            the episode as one whose context is full.
    """

    def __init__(self, name: str, loop: EventLoop, begin: Any, form: PromptForm, fits: Fits | None) -> None:
        self.name, self.form, self.fits = name, form, fits
        self._loop, self._begin = loop, begin
        self._said: dict[str, str] = {}
        self._turns = 0
        self._is_full = False
        self._play: Any = None

    def reset(self) -> Pending[Observation]:
        """Begin the episode, and return its first prompt.

        Raises:
            RewardError: when the environment failed, or asked nothing.
        """

        def first(begun: tuple[Any, Turn | Outcome]) -> Observation:
            self._play, what = begun
            if isinstance(what, Outcome):
                raise RewardError(self.name, what.error or "asked the policy nothing", "mend the environment")
            return self._prompt(what)

        return self._later(f"{self.name}, beginning", self._begin(), first)

    def step(self, action: Action) -> Pending[StepResult]:
        """Answer the environment with the text of an action, and return what follows.

        Raises:
            SpaceError: when the action has no text.
            RewardError: when the environment failed.
        """
        if action.answer is None:
            raise SpaceError("action.text", None, "a text environment needs a policy that speaks")
        text, calls = split_calls(action.answer, self._turns)
        if calls:
            self._said[calls[0]["id"]] = action.answer
        return self._answer(action, Reply(text, calls, action.is_truncated))

    def leave(self) -> None:
        """End the episode here and now."""
        self._loop.run(self._play.leave())

    def _answer(self, action: Action, reply: Reply | None) -> Pending[StepResult]:
        place = f"{self.name}, turn {self._turns} of the episode"
        return self._later(place, self._play.reply(reply), partial(self._go_on, action))

    def _go_on(self, action: Action, what: Turn | Outcome) -> StepResult | Pending[StepResult]:
        if isinstance(what, Outcome):
            return self._end(action, what)
        prompt = self._prompt(what)
        if self.fits is None or self.fits(prompt):
            self._turns += 1
            return StepResult(prompt)
        self._is_full = True
        return self._answer(action, None)

    def _end(self, action: Action, outcome: Outcome) -> StepResult:
        if outcome.error is not None:
            raise RewardError(f"{self.name}, turn {self._turns} of the episode", outcome.error, "mend the environment")
        is_cut = self._is_full or outcome.is_truncated or action.is_truncated
        feedback = Feedback(
            reward=outcome.reward,
            rewards=outcome.rewards,
            outcome=None if outcome.stop is None else f"ended by {outcome.stop}",
            sources=(self.name,),
        )
        return StepResult(None, terminated=not is_cut, truncated=is_cut, feedback=feedback)

    def _prompt(self, turn: Turn) -> Observation:
        return write_prompt(
            self.form, read_messages(turn.messages, self._said), describe_tools(turn.tools) if turn.tools else ""
        )

    def _later(self, place: str, answer: Awaitable[Any], go_on: Any) -> Pending[Any]:
        future = self._loop.start(answer)
        return Pending(lambda: go_on(ask_environment(place, self._loop.wait, future)), future.cancel)


def write_prompt(form: PromptForm, messages: Messages, tools: str) -> Observation:
    """Return a conversation as a prompt of this form, with the tools in the message of the system.

    As text it is a transcript, or what the user says if nobody else has said anything.
    """
    messages = form.with_system(messages)
    if tools:
        begins = messages[0]["role"] == "system"
        system = f"{messages[0]['content']}\n\n{tools}" if begins else tools
        rest = messages[1:] if begins else messages
        messages = PromptForm(takes_system=form.takes_system).with_system(
            [{"role": "system", "content": system}, *rest]
        )
    if form.is_chat:
        return messages
    return f"{messages[0]['content']}\n" if len(messages) == 1 else transcript(messages)


def _package(field: str) -> ModuleType:
    """Return the module that imports verifiers.

    Raises:
        ConfigError: when verifiers is not installed.
    """
    try:
        from backsight.environments import verifiers
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "backsight":
            raise
        raise ConfigError("task", field, "verifiers is not installed: pip install 'backsight[verifiers]'") from error
    return verifiers


def _evaluation_split(config: Any) -> dict[str, str]:
    """Return the setting that chooses another split for evaluation; none if there is no such choice."""
    known = type(config).model_fields.get("split")
    names = typing.get_args(known.annotation) if known is not None else ()
    return next(({"split": name} for name in EVALUATION if name in names and name != config.split), {})


def _held_out(tasks: Sequence[Any], is_bounded: bool, test_size: int) -> dict[str, Sequence[Any]]:
    """Return tasks by split: for evaluation those that are drawn, or the first of those that are made for ever."""
    count = min(test_size, max(1, len(tasks) // HELD_OUT)) if is_bounded else test_size
    test = set(draw_indices(len(tasks), count)) if is_bounded else set(range(count))
    return {
        "train": [task for number, task in enumerate(tasks) if number not in test],
        "test": [task for number, task in enumerate(tasks) if number in test],
    }
