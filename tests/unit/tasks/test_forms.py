"""The form of prompts: who says what in a chat, and templates of instructions."""

import pytest

from backsight.errors import ConfigError
from backsight.tasks.forms import PLAIN, PromptForm, check_template, fill, listed

USER = {"role": "user", "content": "Hi."}
SYSTEM = {"role": "system", "content": "Be kind."}


def test_texts_are_said_by_turns_behind_the_system() -> None:
    form = PromptForm(is_chat=True, system_prompt="Be kind.")
    assistant = {"role": "assistant", "content": "2"}
    assert form.messages("1", "2", "Hi.") == [SYSTEM, {"role": "user", "content": "1"}, assistant, USER]
    assert PromptForm(is_chat=True).messages("Hi.") == [USER]


def test_the_system_s_message_is_the_run_s_else_the_one_that_is_there_else_the_default() -> None:
    rude = {"role": "system", "content": "Be rude."}
    assert PromptForm(system_prompt="Be kind.").with_system([rude, USER], "Be brief.") == [SYSTEM, USER]
    assert PLAIN.with_system([rude, USER], "Be brief.") == [rude, USER]
    assert PLAIN.with_system([USER], "Be kind.") == [SYSTEM, USER]
    assert PLAIN.with_system([USER]) == [USER]


def test_where_the_template_knows_no_system_its_text_begins_the_first_message() -> None:
    form = PromptForm(is_chat=True, system_prompt="Be kind.", takes_system=False)
    said = [{"role": "assistant", "content": "Welcome."}, USER, USER]
    joined = {"role": "user", "content": "Be kind.\n\nHi."}
    assert form.with_system(said) == [said[0], joined, USER]
    assert form.with_system(said[:1]) == said[:1]
    assert USER["content"] == "Hi."


def test_a_prompt_of_somebody_else_is_wrapped_where_messages_are_wanted() -> None:
    assert PLAIN.wrap("Hi.\n") == "Hi.\n" and PLAIN.wrap([USER]) == [USER]
    form = PromptForm(is_chat=True, system_prompt="Be kind.")
    assert form.wrap("Hi.\n") == [SYSTEM, USER] and form.wrap([USER]) == [SYSTEM, USER]


def test_a_template_is_filled_with_values_as_they_are() -> None:
    assert check_template("{{a}} {text}: {number}", ["number", "text"]) == ["text", "number"]
    assert fill("{{a}} {text}: {number}", {"text": "{number} %s", "number": 7}) == "{a} {number} %s: 7"


@pytest.mark.parametrize(
    ("template", "remedy"),
    [
        ("Label {txt}", "there is no column 'txt'; did you mean 'text'"),
        ("Label {}", "there is no column ''; known: label, text"),
        ("Label {0}", "there is no column '0'"),
        ("Label {text.upper}", "there is no column 'text.upper'; did you mean 'text'"),
        ("Label {text[0]}", "there is no column"),
        ("Label {text!r}", "write {text} alone between the braces"),
        ("Label {text:>10}", "write {text} alone between the braces"),
        ("Label {text", "write {{ and }} for braces"),
        ("Label text}", "write {{ and }} for braces"),
        ("Label it.", "names no column, so all prompts would be equal; put in {label}"),
        ("Label {{text}}", "names no column"),
    ],
)
def test_a_wrong_template_is_named_with_the_remedy(template: str, remedy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_template(template, ["text", "label"])
    assert caught.value.field == "instruction" and remedy in caught.value.remedy


def test_a_task_that_writes_its_own_prompts_refuses_another_form() -> None:
    PLAIN.refuse("goals", "instruction", "shots")
    with pytest.raises(ConfigError, match="shots: 0: goals writes its own prompts; leave it out"):
        PromptForm(shots=0).refuse("goals", "instruction", "shots")


def test_a_choice_in_words() -> None:
    assert [listed(words) for words in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a or b", "a, b or c"]
