"""Questions about a text: as plain text, in a chat, with examples, and shortened."""

import json
from pathlib import Path
from typing import Any

import pytest

from backsight.errors import ConfigError, DataError
from backsight.tasks.forms import PLAIN, PromptForm
from backsight.tasks.sentiment import SentimentTask
from backsight.tasks.translation import TranslationTask

TEXTS = [("good", "positive"), ("bad", "negative"), ("fine", "positive"), ("dull", "negative"), ("nice", "positive")]
CHAT = PromptForm(is_chat=True, shots=0)


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture
def task(tmp_path: Path) -> SentimentTask:
    rows = [{"text": f" {text} ", "label": label, "year": 2000} for text, label in TEXTS]
    source = write(tmp_path / "rows.jsonl", rows)
    return SentimentTask(source, test=source)


def test_plain_prompts_are_as_they_were(task: SentimentTask) -> None:
    assert task.in_form(PLAIN).items("train") == task.items("train")


def test_a_template_names_columns_and_the_task_s_own_words(task: SentimentTask) -> None:
    form = PromptForm(is_chat=True, instruction="{labels} ({year})? {text}", shots=0, system_prompt="Be brief.")
    item = task.in_form(form).items("test")[1]
    assert item.prompt == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "negative or positive (2000)? bad"},
    ]
    assert item.target == "negative"
    plain = task.in_form(PromptForm(instruction="{labels}? {text}")).items("test")[1]
    assert (plain.prompt, plain.target) == ("negative or positive? bad\nsentiment:", " negative")


def test_examples_are_of_all_labels_and_never_the_item_itself(task: SentimentTask) -> None:
    asked = task.in_form(PromptForm(is_chat=True, instruction="{text}", shots=2))
    for item in asked.items("train"):
        said = [message["content"] for message in item.prompt]
        assert len(said) == 5 and said[-1] not in said[:-1]
        assert dict(TEXTS)[said[0]] == said[1] and dict(TEXTS)[said[2]] == said[3]
    first, second = ({message["content"] for message in item.prompt[:4]} for item in asked.items("test")[3:])
    assert {"positive", "negative"} <= first and {"positive", "negative"} <= second


def test_examples_in_plain_text(task: SentimentTask) -> None:
    prompts = [str(item.prompt) for item in task.in_form(PromptForm(shots=1)).items("train")]
    for (text, _), prompt in zip(TEXTS, prompts, strict=True):
        shown, asked = prompt.split("\n\n")
        assert asked == f"{text}\nsentiment:"
        word, label = shown.split("\nsentiment: ")
        assert dict(TEXTS)[word] == label and word != text


def test_a_chat_shows_an_example_of_each_label_unless_told_otherwise(task: SentimentTask) -> None:
    assert [
        len(task.in_form(PromptForm(is_chat=True, shots=shots)).items("test")[0].prompt) for shots in (None, 0)
    ] == [
        5,
        1,
    ]


def test_a_text_is_shortened_inside_of_its_question(task: SentimentTask, tmp_path: Path) -> None:
    source = write(
        tmp_path / "long.jsonl", [{"source": "one two three", "target": "x"}, {"source": "a", "target": "y"}]
    )
    asked = TranslationTask(source, test=source).in_form(
        PromptForm(is_chat=True, instruction="Say: {source}.", shots=0)
    )
    item = asked.items("train")[0]
    cut = asked.shorten(item, lambda prompt: len(prompt[0]["content"]) <= len("Say: one two."))
    assert cut is not None and cut.prompt == [{"role": "user", "content": "Say: one two."}]
    assert asked.shorten(item, lambda prompt: False) is None


def test_relabelled_prompts_are_in_the_same_form(tmp_path: Path) -> None:
    rows = [{"source": "cat", "target": "Katze"}, {"source": "dog", "target": "Hund"}]
    source = write(tmp_path / "rows.jsonl", rows)
    asked = TranslationTask(source, test=source).in_form(PromptForm(is_chat=True, instruction="{source}!", shots=0))
    cat = asked.items("train")[0]
    assert asked.relabel_prompt(cat, "Hund.", 0) == [{"role": "user", "content": "dog!"}]


@pytest.mark.parametrize(
    ("form", "error", "message"),
    [
        (PromptForm(instruction="{txt}"), ConfigError, "instruction: .*did you mean 'text'"),
        (PromptForm(shots=5), ConfigError, "shots: 5: the train split has 5 rows; show fewer"),
    ],
)
def test_what_does_not_fit_is_named(
    task: SentimentTask, form: PromptForm, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        task.in_form(form)


def test_a_row_that_lacks_a_column_of_the_instruction_is_named(tmp_path: Path) -> None:
    train = write(tmp_path / "train.jsonl", [{"source": "a", "target": "b", "to": "German"}])
    test = write(tmp_path / "test.jsonl", [{"source": "a", "target": "b"}])
    with pytest.raises(DataError, match=r"test.jsonl: row 1: no column 'to': the instruction needs it; add it"):
        TranslationTask(train, test=test).in_form(PromptForm(instruction="Into {to}: {source}", shots=0))


def test_labels_that_contain_one_another_are_remarked(tmp_path: Path) -> None:
    rows = [{"text": "a", "label": "good"}, {"text": "b", "label": "very good"}]
    source = write(tmp_path / "rows.jsonl", rows)
    assert SentimentTask(source, test=source).remarks == (
        "labels: 'good' stands in 'very good'; of such labels the longest in an answer counts",
    )
