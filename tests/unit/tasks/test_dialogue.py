"""Dialogues that people held: turns as items, splits by their beginning, long ones from their end."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from tiny_models import tiny_policy

from backsight.errors import DataError
from backsight.runs.prompts import fit_prompts
from backsight.tasks.base import Item
from backsight.tasks.dialogue import DialogueTask

Messages = list[dict[str, str]]


def said(*turns: str) -> Messages:
    """From ``user: Hi.`` and so on."""
    return [{"role": role, "content": content} for role, _, content in (turn.partition(": ") for turn in turns)]


ORDER = said(
    "system: You sell coffee.",
    "assistant: Welcome!",
    "user: A latte\nplease.",
    "assistant: With oat milk?",
    "user: No, with cow's milk.",
    "assistant: It is done.",
    "assistant: Enjoy it.",
)


def write(path: Path, *dialogues: Any) -> str:
    path.write_text("".join(json.dumps({"messages": each}) + "\n" for each in dialogues), encoding="utf-8")
    return str(path)


def task_of(tmp_path: Path, *dialogues: Any) -> DialogueTask:
    source = write(tmp_path / "rows.jsonl", *dialogues)
    return DialogueTask(source, test=source)


def only_item(tmp_path: Path, *turns: str) -> tuple[DialogueTask, Item]:
    """The last turn is the assistant's, and no other is."""
    task = task_of(tmp_path, said(*turns))
    (item,) = task.items("train")
    return task, item


def test_every_turn_that_answers_a_user_is_an_item(tmp_path: Path) -> None:
    task = task_of(tmp_path, said("user: Hi.", "assistant: Hello."), ORDER)
    hello, milk, done, enjoy = task.items("train")
    assert [item.id for item in (hello, milk, done, enjoy)] == ["1.1", "2.2", "2.3", "2.4"]
    assert milk.prompt == ("system: You sell coffee.\nassistant: Welcome!\nuser: A latte\n  please.\nassistant:")
    assert milk.target == " With oat milk?"
    assert milk.columns == {
        "messages": [
            {"role": "system", "content": "You sell coffee."},
            {"role": "assistant", "content": "Welcome!"},
            {"role": "user", "content": "A latte\nplease."},
        ],
        "next_turn": "No, with cow's milk.",
        "references": ["With oat milk?"],
    }
    assert done.prompt == f"{milk.prompt} With oat milk?\nuser: No, with cow's milk.\nassistant:"
    assert enjoy.prompt == f"{done.prompt} It is done.\nassistant:"
    assert (hello.columns["next_turn"], done.columns["next_turn"], enjoy.columns["next_turn"]) == (None, None, None)
    assert str(milk.prompt).endswith(task.cue)


def test_an_empty_turn_and_a_tool_are_context_only(tmp_path: Path) -> None:
    called = said("user: Is it open?", "assistant: \n", "tool: open=yes", "assistant: Yes.", "user:  ")
    (item,) = task_of(tmp_path, called).items("train")
    assert item.id == "1.2"
    assert item.prompt == "user: Is it open?\nassistant: \ntool: open=yes\nassistant:"
    assert item.columns["next_turn"] is None


def test_the_reward_is_the_words_shared_with_the_turn_that_was_said(tmp_path: Path) -> None:
    task = task_of(tmp_path, ORDER)
    milk = task.items("train")[0]
    # "oat" and "milk?" of the three words that were said, among four: 2·2 / (4 + 3)
    feedback = task.judge(milk, "Do you want oat")
    assert feedback.rewards == {"overlap": pytest.approx(2 / 7), "exact": 0.0}
    feedback = task.judge(milk, "Would oat do? milk?")
    assert feedback.rewards == {"overlap": pytest.approx(4 / 7), "exact": 0.0}
    assert (feedback.reward, feedback.success, feedback.sources) == (pytest.approx(4 / 7), False, ("dialogue",))
    assert set(task.metrics) == set(feedback.rewards)
    assert task.judge(milk, "").reward == 0.0


def test_a_failed_attempt_is_told_what_was_said_and_what_the_user_said_then(tmp_path: Path) -> None:
    task = task_of(tmp_path, ORDER)
    milk, _, enjoy = task.items("train")
    failed, succeeded = task.judge(milk, "Sugar?"), task.judge(milk, "With oat milk?\n")
    assert failed.correction == " With oat milk?"
    assert failed.outcome == "The user then said: No, with cow's milk."
    assert (succeeded.reward, succeeded.success, succeeded.correction, succeeded.outcome) == (1.0, True, None, None)
    last = task.judge(enjoy, "Bye.")
    assert (last.correction, last.outcome) == (" Enjoy it.", None)


def test_a_dialogue_and_those_that_begin_alike_stay_on_one_side(tmp_path: Path) -> None:
    dialogues = []
    for number in range(200):
        opening = said("system: You sell coffee.", f"user: Order {number}\nto go", "assistant: Size?")
        dialogues += [[*opening, *said("user: Small.", "assistant: Done.")]]
        dialogues += [
            [*opening, *said(f"user: Large, {number}.", "assistant: Sugar?", "user: No.", "assistant: Done.")]
        ]
    task = DialogueTask(write(tmp_path / "rows.jsonl", *dialogues))
    orders = {split: {item.prompt.split("\n")[1] for item in task.items(split)} for split in ("train", "test")}
    assert not orders["train"] & orders["test"]
    assert len(orders["train"] | orders["test"]) == 200
    assert 8 <= len(orders["test"]) <= 35  # a binomial draw: 20 ± 3 standard deviations of 4.2
    assert len(task.items("train")) + len(task.items("test")) == 200 * (2 + 3)
    again = DialogueTask(write(tmp_path / "again.jsonl", *reversed(dialogues)))
    assert {item.prompt for item in again.items("test")} == {item.prompt for item in task.items("test")}


def test_what_comes_before_the_user_belongs_to_the_beginning(tmp_path: Path) -> None:
    task = task_of(tmp_path, ORDER)
    starts = {task.start_of(item) for item in task.items("train")}
    assert starts == {"system: You sell coffee.\nassistant: Welcome!\nuser: A latte\n  please.\n"}


SHORTER_AND_SHORTER = [
    "user: one\n  two\nassistant: three\nuser: four five\n  six\nassistant:",
    "assistant: three\nuser: four five\n  six\nassistant:",
    "user: four five\n  six\nassistant:",
    "user: five\n  six\nassistant:",
    "user: six\nassistant:",
]


@pytest.mark.parametrize("system", ["", "system: Be kind,\n  always.\n"])
def test_the_oldest_messages_go_first_then_words_of_the_last(tmp_path: Path, system: str) -> None:
    opening = [{"role": "system", "content": "Be kind,\nalways."}] if system else []
    turns = said("user: one\ntwo", "assistant: three", "user: four five\nsix", "assistant: seven")
    task = task_of(tmp_path, [*opening, *turns])
    item = task.items("train")[-1]

    def shorten(room: int) -> str | None:
        cut = task.shorten(item, lambda prompt: len(prompt) <= room)
        assert cut is None or (cut.id, cut.target, cut.columns) == (item.id, item.target, item.columns)
        return None if cut is None else str(cut.prompt)

    prompts = [system + prompt for prompt in SHORTER_AND_SHORTER]
    for prompt, next_one in zip(prompts, [*prompts[1:], None], strict=True):
        assert shorten(len(prompt)) == prompt
        assert shorten(len(prompt) - 1) == next_one


def test_scripts_without_spaces_lose_characters(tmp_path: Path) -> None:
    task, item = only_item(tmp_path, "user: 今日は良い天気", "assistant: はい")
    cut = task.shorten(item, lambda prompt: len(prompt) <= len("user: 天気\nassistant:"))
    assert cut is not None and cut.prompt == "user: 天気\nassistant:"


def test_long_prompts_are_cut_for_a_policy(tmp_path: Path) -> None:
    """128 tokens, a byte each; the end-of-text token comes first, so that 99 bytes are left beside 28 tokens."""
    messages = [turn for number in range(8) for turn in said(f"user: question {number}", f"assistant: answer {number}")]
    task = task_of(tmp_path, messages)
    cut, told = fit_prompts(task, [tiny_policy("gpt2")], 28, {"train": None}, truncate=True)
    assert told == "long_prompts=truncate: cut the prompts of 6 of 8 items of train"
    assert cut.items("train")[-1].prompt == (
        "assistant: answer 5\nuser: question 6\nassistant: answer 6\nuser: question 7\nassistant:"
    )
    assert cut.items("train")[1] is task.items("train")[1]
    assert cut.validate("train") == 8


@pytest.mark.parametrize("text", ["👩‍💻🙂 שלום ‏مرحبا", "one\r\ntwo\r\n\r\nthree", "a\u2028b\x85c", "\u200b", "x: y"])
def test_any_text_stays_whole(tmp_path: Path, text: str) -> None:
    task, item = only_item(tmp_path, f"user: {text}", f"assistant: {text}")
    assert item.target == f" {text}"
    assert task.start_of(item) == str(item.prompt).removesuffix("assistant:")
    assert task.shorten(item, lambda prompt: True) == item
    assert task.validate("train") == 1
    assert task.judge(item, text).success is True


def test_a_line_within_a_message_cannot_pass_for_another_message(tmp_path: Path) -> None:
    task, item = only_item(tmp_path, "system: See:\nuser: Hi.", "user: Hello\nassistant: x", "assistant: y")
    assert task.start_of(item) == "system: See:\n  user: Hi.\nuser: Hello\n  assistant: x\n"


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"prompt": "Hi."}, "rows.jsonl: row 2: no column 'messages': .*prompt"),
        ({"messages": "hello"}, "row 2, column 'messages'"),
        ({"messages": []}, "row 2, column 'messages'"),
        ({"messages": [{"role": "user"}]}, "row 2, column 'messages'.*write messages as"),
        ({"messages": [{"role": "user", "content": None}]}, "row 2, column 'messages'"),
        ({"messages": ["Hi.", "Hello."]}, "row 2, column 'messages'"),
    ],
)
def test_an_unusable_row_is_refused(tmp_path: Path, row: dict[str, Any], complaint: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{json.dumps({'messages': ORDER})}\n{json.dumps(row)}\n")
    with pytest.raises(DataError, match=complaint) as caught:
        DialogueTask(str(path), test=str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "messages",
    [
        said("user: Hi.", "user: Anyone?"),
        said("assistant: Welcome!", "user: Hi."),
        said("user: Hi.", "assistant: "),
        said("human: Hi.", "gpt: Hello."),
    ],
)
@pytest.mark.parametrize("split", ["train", "test", "ood"])
def test_a_split_without_an_answer_is_refused(tmp_path: Path, split: str, messages: Messages) -> None:
    sources = dict.fromkeys(("train", "test", "ood"), write(tmp_path / "good.jsonl", ORDER))
    sources[split] = write(tmp_path / "silent.jsonl", messages)
    complaint = f"split '{split}': .*silent.jsonl: no turn of the assistant behind one of the user in its 1 rows; give"
    with pytest.raises(DataError, match=complaint):
        DialogueTask(sources["train"], test=sources["test"], ood=sources["ood"])


def test_one_dialogue_cannot_be_split(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="split 'test'.*none of 3 items fell to it"):
        DialogueTask(write(tmp_path / "rows.jsonl", ORDER))


@pytest.mark.shared_data
def test_real_dialogues(shared_data: Path, tmp_path: Path) -> None:
    """People's orders of coffee, with calls of an API between the turns."""
    with gzip.open(shared_data / "dialogue/taskmaster4_coffee/train.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    roles = {"user": "user", "agent": "assistant", "api": "tool"}
    dialogues = [
        [{"role": roles[turn["role"]], "content": turn.get("text", "")} for turn in row["turns"]] for row in rows
    ]
    task = DialogueTask(write(tmp_path / "rows.jsonl", *dialogues))
    sizes = {split: len(task.items(split)) for split in ("train", "test")}
    assert sum(sizes.values()) == sum(
        turn["role"] == "assistant" and bool(turn["content"].strip())
        for messages in dialogues
        for turn in messages[next((place for place, each in enumerate(messages) if each["role"] == "user"), 99) :]
    )
    assert 0.05 < sizes["test"] / sum(sizes.values()) < 0.2
    assert [task.validate(split) for split in sizes] == [200, 200]
    followed = sum(item.columns["next_turn"] is not None for item in task.items("train"))
    assert 0.3 < followed / sizes["train"] < 0.8
