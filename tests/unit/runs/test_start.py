"""From a configuration to the parts of a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tiny_models import tiny_classifier, tiny_policy, tiny_seq2seq
from toy_tasks import WORDS, GoalString, SayWord, WhichWord

from backsight.config import RunConfig
from backsight.environments.episodes import EpisodesTask
from backsight.errors import BacksightError, ConfigError, DataError, ModelError
from backsight.feedback.combined import Combined
from backsight.feedback.reward_functions import RewardFunctions
from backsight.policies import footprint
from backsight.policies.adapters import has_adapter
from backsight.policies.config import AdapterConfig
from backsight.policies.text import TextPolicy
from backsight.presets.base import configure
from backsight.runs.prompts import CHECKED_PROMPTS, fit_prompts
from backsight.runs.start import RunParts, begin, load_policy
from backsight.tasks.base import Item, PromptTask, SingleTurn, TaskVerifier
from backsight.tasks.rows import RowsTask
from backsight.tasks.sentiment import SentimentTask
from backsight.tasks.summarization import SummarizationTask
from backsight.tasks.translation import TranslationTask
from backsight.types import Action


@pytest.fixture(scope="module")
def policy() -> TextPolicy:
    return tiny_policy("gpt2", WORDS)  # reads 128 tokens


def config_of(**settings: Any) -> RunConfig:
    return configure(SayWord(), {"max_completion_length": 8, **settings})[0]


def test_a_run_has_the_judge_of_its_task_or_another_one(policy: TextPolicy) -> None:
    def one(completions: list[str]) -> list[float]:
        return [1.0] * len(completions)

    parts = begin(config_of(), SayWord(), policy)
    assert parts.policy is policy and isinstance(parts.feedback, TaskVerifier) and parts.messages == []
    rewarded = begin(config_of(), SayWord(), policy, reward_funcs=one).feedback
    assert isinstance(rewarded, RewardFunctions) and list(rewarded.functions) == ["one"]
    combined = Combined([TaskVerifier(SayWord())])
    assert begin(config_of(), SayWord(), policy, reward_funcs=[one], feedback=combined).feedback is combined


def test_the_configured_policy_is_opened(policy: TextPolicy, tmp_path: Path) -> None:
    policy.save(tmp_path / "one")
    policy.save(tmp_path / "run" / "policy")
    opened = begin(config_of(policy=str(tmp_path / "one")), SayWord()).policy
    assert opened.encode(" red") == policy.encode(" red")
    assert load_policy(str(tmp_path / "run")).encode(" red") == policy.encode(" red"), "a run's trained policy"
    with pytest.raises(ModelError, match="policy: ./nowhere: no such folder"):
        begin(config_of(policy="./nowhere"), SayWord())


@pytest.mark.parametrize("given", ["a folder", "a loaded policy"])
def test_a_model_that_is_too_large_for_all_its_weights_gets_an_adapter(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_policy(words=WORDS).save(tmp_path / "one")
    config = config_of(policy=str(tmp_path / "one"))
    assert config.adapter == AdapterConfig(name="auto")

    def choose(config: RunConfig, path: str | None = None, **named: Any) -> RunParts:
        given_policy = load_policy(config.policy) if given == "a loaded policy" and path is None else path
        return begin(config, SayWord(), given_policy, **named)

    parts = choose(config)
    assert not has_adapter(parts.policy.model) and parts.adapter is None, "it is small"
    monkeypatch.setattr(footprint, "available_bytes", lambda device: 1000)
    parts = choose(config)
    assert has_adapter(parts.policy.model) and parts.adapter is not None
    assert parts.adapter.startswith("adapter=auto: training all 0 million weights takes about 0.0 GiB")
    parts.policy.save(tmp_path / "checkpoint")
    for settled in (
        choose(config, str(tmp_path / "checkpoint")),  # it has one already
        choose(config_of(policy=str(tmp_path / "one"), adapter=None)),
        choose(config, splits=["test"]),  # nothing is trained
        begin(config_of(policy="elsewhere"), SayWord(), str(tmp_path / "one")),  # a checkpoint that trains all weights
    ):
        assert settled.adapter is None
    assert not has_adapter(settled.policy.model)


def test_the_pocket_model_is_a_package_of_its_own(
    policy: TextPolicy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backsight.registry.entry_points", lambda **_: [])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load_policy("pocket")
    assert str(caught.value) == (
        "policy: pocket: is not installed; pip install backsight-pocket (here: pip install ./pocket), "
        "or set policy=FOLDER"
    )
    policy.save(tmp_path / "pocket")
    assert load_policy("pocket").encode(" red") == policy.encode(" red"), "a folder of that name"


class LongInTest(GoalString):
    """One prompt of the test split is too long for the policy."""

    def items(self, split: str) -> Sequence[Item]:
        return [Item("0", " red"), Item("long", " red" * 200)] if split == "test" else super().items(split)


def test_the_prompts_that_will_be_attempted_are_checked(policy: TextPolicy) -> None:
    with pytest.raises(DataError, match="test/long.prompt"):
        begin(config_of(), LongInTest(1), policy)
    with pytest.raises(DataError, match="test/long.prompt"):
        begin(config_of(), LongInTest(1), policy, splits=["test"])
    assert begin(config_of(), LongInTest(1), policy, splits=["train"]).messages == []
    assert begin(config_of(eval_items=1), LongInTest(1), policy).messages == []
    with pytest.raises(DataError, match="test/long.prompt"):
        begin(config_of(), LongInTest(1), tiny_policy(words=WORDS), beside=[policy])


def test_episodes_of_a_run_end_where_the_next_prompt_has_no_room(policy: TextPolicy) -> None:
    class Talkative:
        """Says much."""

        def reset(self, *, seed: int) -> tuple[str, dict[str, Any]]:
            return "go:", {}

        def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
            return "x" * 60, 0.0, False, False, {}

    task = EpisodesTask(Talkative, seeds={"train": [0]}, max_turns=9)
    episode = begin(config_of(), task, policy).environments(task.items("train")[0])
    episode.reset()
    action = Action((1,), policy.model.lm_head.weight.new_zeros(1), " go")
    assert [episode.step(action).truncated for _ in range(2)] == [False, True]
    word = begin(config_of(), SayWord(), policy)
    assert isinstance(word.environments(word.task.items("train")[0]), SingleTurn)


def test_a_classifier_is_opened_with_the_labels_of_the_task(tmp_path: Path) -> None:
    tiny_classifier(tuple(reversed(WORDS))).save(tmp_path / "labels")
    opened = begin(config_of(policy=str(tmp_path / "labels"), max_completion_length=1), WhichWord()).policy
    assert opened.kind == "classifier"
    assert len({opened.encode(word) for word in WORDS}) == len(WORDS)
    with pytest.raises(ModelError, match="labels"):
        begin(config_of(policy=str(tmp_path / "labels"), max_completion_length=1), SayWord())


LONG = "word " * 30
TASKS = {
    SentimentTask: [{"text": LONG, "label": "bad"}, {"text": "short", "label": "good"}],
    TranslationTask: [{"source": LONG, "target": "Wort"}, {"source": "short", "target": "kurz"}],
    SummarizationTask: [{"document": LONG, "summary": "words"}, {"document": "short", "summary": "short"}],
    RowsTask: [{"prompt": LONG, "completion": "a"}, {"prompt": "short", "completion": "b"}],
}


def task_of(tmp_path: Path, kind: Any, rows: Sequence[Any]) -> Any:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return kind(str(path), test=str(path))


@pytest.fixture
def plain() -> TextPolicy:
    """128 tokens, a byte each."""
    return tiny_policy("gpt2")


@pytest.mark.parametrize("kind", TASKS)
def test_the_text_is_cut_and_the_cue_stays(kind: Any, plain: TextPolicy, tmp_path: Path) -> None:
    task = task_of(tmp_path, kind, TASKS[kind])
    cut, told = fit_prompts(task, [plain], 28, {"train": None, "test": 1}, truncate=True)
    first, second = cut.items("train")
    # the end-of-text token comes first, so that 99 bytes are left
    room = 99 - len(task.cue.encode())
    assert first.prompt == " ".join(["word"] * ((room + 1) // 5)) + task.cue
    assert plain.fits(first.prompt, 28) and first.target == task.items("train")[0].target
    assert second is task.items("train")[1] and cut.items("test")[0].prompt == first.prompt
    assert cut.validate("train") == 2
    assert told == "long_prompts=truncate: cut the prompts of 1 of 2 items of train, 1 of 1 items of test"
    assert str(task.items("train")[0].prompt).startswith(LONG.strip()), "the given task stays as it is"


@pytest.mark.parametrize("kind", TASKS)
def test_a_long_prompt_is_refused_with_its_place_the_count_and_the_remedy(
    kind: Any, plain: TextPolicy, tmp_path: Path
) -> None:
    task = task_of(tmp_path, kind, [*reversed(TASKS[kind]), {**TASKS[kind][0]}])
    with pytest.raises(DataError) as caught:
        fit_prompts(task, [plain], 28, {"train": None}, truncate=False)
    count = len([item for item in task.items("train") if len(item.prompt) > 99])
    assert caught.value.field == "train/2.prompt"
    assert "tokens and max_completion_length=28 exceed the model's 128; shorten the prompt" in caught.value.remedy
    assert caught.value.remedy.endswith(
        f", or set long_prompts=truncate ({count} of {len(task.items('train'))} items of train are too long)"
    )


@pytest.mark.parametrize("kind", TASKS)
def test_a_text_that_was_cut_stays_cut_when_a_run_asks_for_the_same_form(
    kind: Any, plain: TextPolicy, tmp_path: Path
) -> None:
    task, splits = task_of(tmp_path, kind, TASKS[kind]), {"train": None, "test": None}
    cut, _ = fit_prompts(task, [plain], 40, splits, truncate=True)
    parts = begin(config_of(), cut, plain, reward_funcs=lambda completions: [0.0] * len(completions))
    assert parts.task.items("train")[0].prompt == cut.items("train")[0].prompt


REFUSES_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}{{ messages[0]['content'] }}"
)


def test_a_prompt_that_the_template_refuses_is_found_wherever_it_stands(tmp_path: Path) -> None:
    """It is the shortest of hundreds of others that fit."""
    policy = tiny_policy()
    policy.tokenizer.chat_template = REFUSES_SYSTEM
    user = {"role": "user", "content": "a question that is long enough"}
    rows = [[{**user, "content": f"{user['content']} {number}"}] for number in range(300)]
    rows.insert(150, [{"role": "system", "content": ""}, {"role": "user", "content": "q"}])
    task = task_of(tmp_path, RowsTask, [{"prompt": prompt} for prompt in rows])
    with pytest.raises(DataError, match=r"train/151.prompt: .*refuses it \(no system\); 1 of 301 items of train are"):
        fit_prompts(task, [policy], 4, {"train": None}, truncate=False)


def test_what_fits_is_left_alone(plain: TextPolicy, tmp_path: Path) -> None:
    task = task_of(tmp_path, RowsTask, [{"prompt": "short"}])
    assert fit_prompts(task, [plain], 28, {"train": None, "test": None}, truncate=True) == (task, None)


def test_the_shortest_context_counts(plain: TextPolicy, tmp_path: Path) -> None:
    task = task_of(tmp_path, RowsTask, [{"prompt": "word " * 20}])
    assert fit_prompts(task, [plain], 8, {"train": None}, truncate=True)[1] is None
    other = tiny_classifier(("bad", "good"))  # 64 tokens
    cut, _ = fit_prompts(task, [plain, other], 8, {"train": None}, truncate=True)
    assert len(cut.items("train")[0].prompt) == 59


@pytest.mark.parametrize("prompt", ["x" * 200, [{"role": "user", "content": "word " * 40}]])
def test_what_cannot_be_cut_is_refused_without_that_remedy(prompt: Any, plain: TextPolicy, tmp_path: Path) -> None:
    plain.tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    task = task_of(tmp_path, RowsTask, [{"prompt": prompt}, {"prompt": LONG}])
    for truncate, count in ((False, 2), (True, 1)):
        with pytest.raises(
            DataError, match=rf"train/1.prompt: .*\({count} of 2 items of train are too long\)"
        ) as caught:
            fit_prompts(task, [plain], 28, {"train": None}, truncate=truncate)
        assert "long_prompts" not in str(caught.value)


def test_a_task_that_knows_of_nothing_to_leave_out_is_refused(plain: TextPolicy) -> None:
    class Plain(PromptTask):
        name = "plain"

        def items(self, split: str) -> Sequence[Item]:
            return [Item("a", LONG)]

        def judge(self, item: Item, completion: str) -> Any:
            raise AssertionError("attempted")

    with pytest.raises(DataError, match=r"train/a.prompt: .*lower max_completion_length \(1 of 1 items"):
        fit_prompts(Plain(), [plain], 28, {"train": None}, truncate=True)


def test_no_prompt_helps_where_the_completion_alone_is_too_long(tmp_path: Path) -> None:
    task = task_of(tmp_path, RowsTask, [{"prompt": "short"}])
    with pytest.raises(DataError, match="max_completion_length: 200: .*the decoder's 128; lower it"):
        fit_prompts(task, [tiny_seq2seq("bart")], 200, {"train": None}, truncate=True)


def test_a_long_prompt_is_found_wherever_it_stands(plain: TextPolicy, tmp_path: Path) -> None:
    rows = [{"prompt": f"short {number}"} for number in range(2 * CHECKED_PROMPTS)]
    task = task_of(tmp_path, RowsTask, [*rows, {"prompt": LONG}])
    with pytest.raises(DataError, match=rf"train/401.prompt: .*1 of {len(rows) + 1} items"):
        fit_prompts(task, [plain], 28, {"train": None}, truncate=False)


@pytest.mark.parametrize("text", ["עברית ‏مرحبا‎ 今日は 👩‍💻🙂 e\u0301", "tabs\tand\r\nlines", "İ ß ﬁ \u200d"])
def test_bytes_as_tokens_carry_every_script(text: str, plain: TextPolicy) -> None:
    assert plain.decode(plain.encode(text)) == text  # type: ignore[attr-defined]


def test_a_gold_answer_that_is_missing_is_named_before_a_supervised_run(policy: TextPolicy, tmp_path: Path) -> None:
    rows = [{"prompt": "a", "target": "b"}, {"prompt": "c", "target": ""}, {"prompt": "d"}]
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = RowsTask(data, test=data)
    with pytest.raises(DataError, match="train/2.target: None: supervised needs a gold answer.*; 2 of 3 have none"):
        begin(config_of(hindsight="supervised"), task, policy)
    begin(config_of(hindsight="supervised"), task, policy, splits=["test"])
    begin(config_of(hindsight="outcome"), task, policy)


def _ends(*_: Any) -> Any:
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"items": _ends}, r"task 'say', items of train: called sys.exit\(3\): mend the task"),
        ({"items": lambda self, split: None}, "task 'say', items of train: None: return a list of items"),
        ({"items": lambda self, split: {1}}, r"items of train: \{1\}: return a list of items"),
        ({"items": lambda self, split: ["a"]}, "items of train: 'a': is no Item"),
        ({"feedback": _ends}, r"task 'say', feedback: called sys.exit\(3\): mend the task"),
    ],
)
def test_a_task_that_fails_is_named(policy: TextPolicy, members: dict[str, Any], message: str) -> None:
    with pytest.raises(BacksightError, match=message):
        begin(config_of(), type("Failing", (SayWord,), {"name": "say", **members})(), policy)


@pytest.mark.parametrize("functions", [5, "length", {"a": len}])
def test_what_is_no_list_of_reward_functions_is_refused(policy: TextPolicy, functions: Any) -> None:
    with pytest.raises(ConfigError, match="reward_funcs: .*: give a function"):
        begin(config_of(), SayWord(), policy, reward_funcs=functions)


CHAT = "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}{% endfor %}"


@pytest.mark.parametrize(
    ("settings", "template", "message"),
    [
        (
            {"prompt_format": "chat"},
            None,
            "prompt_format: chat: the policy has no chat template; set prompt_format=plain",
        ),
        ({"system_prompt": "Be brief."}, None, "system_prompt: Be brief.: there are no chat messages for it"),
        ({"system_prompt": "x", "prompt_format": "plain"}, CHAT, "system_prompt: x: there are no chat messages for it"),
        ({"instruction": "{name}"}, CHAT, "instruction: {name}: say_word writes its own prompts; leave it out"),
        ({"shots": 1}, None, "shots: 1: say_word writes its own prompts; leave it out"),
    ],
)
def test_a_form_that_does_not_fit_is_refused(settings: dict[str, Any], template: str | None, message: str) -> None:
    own = tiny_policy("gpt2", WORDS)
    own.tokenizer.chat_template = template
    with pytest.raises(ConfigError) as caught:
        begin(config_of(**settings), SayWord(), own)
    assert str(caught.value).startswith(message)


def test_a_template_s_own_settings_are_not_those_of_the_call() -> None:
    with pytest.raises(ConfigError, match="chat_template_kwargs.tokenize: False: backsight sets it; leave it out"):
        config_of(chat_template_kwargs={"tokenize": False})
