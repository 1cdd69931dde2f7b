"""A policy that people talk to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny_models import reciting_policy, tiny_classifier, tiny_policy, tiny_seq2seq

from backsight.config import dump_config
from backsight.errors import ConfigError, DataError, ModelError
from backsight.presets.base import find_preset
from backsight.runs.talk import Answer, AnswerOptions, Talker, open_talker
from backsight.types import Sampling

EARLIER = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]


def options(**change: Any) -> AnswerOptions:
    return AnswerOptions(**{"system": None, "temperature": 0.0, "max_tokens": 8, "seed": 0, **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"temperature": -0.1}, "temperature: -0.1: must be greater than or equal to 0"),
        ({"temperature": float("nan")}, "temperature: nan: "),
        ({"temperature": 1e-40}, "temperature: 1e-40: must be 0, or between"),
        ({"max_tokens": 0}, "max_tokens: 0: must be greater than or equal to 1"),
        ({"seed": -1}, "seed: -1: must be greater than or equal to 0"),
        ({"system": "a\0b"}, "system: .* holds characters that no file can hold"),
    ],
)
def test_wrong_options_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        options(**change)


def test_what_a_model_with_a_template_reads() -> None:
    talker = Talker(reciting_policy("ok"), options(system="be brief"))
    prompt = talker.check_prompt("why?", EARLIER)
    tokens = talker.policy.prompt_tokens(prompt)
    assert talker.policy.tokenizer.decode(tokens) == (
        "[system] be brief\n[user] hi\n[assistant] hello\n[user] why?\n[assistant]:"
    )


def test_what_a_model_without_a_template_reads() -> None:
    assert Talker(tiny_policy(), options()).check_prompt("why?") == "why?"
    assert Talker(tiny_policy(), options(system="be brief")).check_prompt("why?") == "be brief\nwhy?"


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_prompt_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="^prompt: '.*': is empty; write something"):
        Talker(tiny_policy(), options()).check_prompt(text)


def test_a_prompt_that_is_too_long_is_refused_in_the_words_of_the_command() -> None:
    talker = Talker(tiny_policy("gpt2"), options(max_tokens=120))  # reads 128 tokens
    talker.check_prompt("1234567")
    with pytest.raises(DataError, match="^prompt: 12345678: 9 tokens and --max-tokens=120 exceed the model's 128; .*"):
        talker.check_prompt("12345678")
    with pytest.raises(DataError, match="^--max-tokens: 127: with the 2 tokens it begins with, .* decoder's 128"):
        Talker(tiny_seq2seq("bart"), options(max_tokens=127)).check_prompt("a")


def test_a_template_that_refuses_is_quoted() -> None:
    policy = reciting_policy("ok", template="{{ raise_exception('no system') }}")
    with pytest.raises(DataError, match="chat template refuses it \\(no system\\)"):
        Talker(policy, options(system="x")).check_prompt("a")


@pytest.mark.parametrize(("policy", "longest"), [(tiny_policy(), 256), (tiny_policy("gpt2"), 64)])
def test_a_small_context_keeps_room_for_prompts(policy: Any, longest: int) -> None:
    """gpt2 reads 128 tokens: 64 and half as many fit beside a prompt of 2, and 128 do not."""
    assert Talker(policy, options(max_tokens=None)).sampling == Sampling(0.0, longest)


def test_answers_come_in_the_order_of_the_prompts() -> None:
    talker = Talker(tiny_policy(), options(temperature=1.0))
    prompts, seeds = ["a longer one", "b", "a longer one"], [1, 2, 1]
    one, two, three = talker.answer(prompts, seeds)
    assert one == three != two
    assert [talker.answer([prompt], [seed]) for prompt, seed in zip(prompts, seeds, strict=True)] == [
        [one],
        [two],
        [three],
    ]


def test_an_encoder_decoder_answers() -> None:
    [answer] = Talker(tiny_seq2seq(), options()).answer(["a"], [0])
    assert answer.probabilities is None and answer.text == tiny_seq2seq().decode(
        next(iter(Talker(tiny_seq2seq(), options()).engine.act(["a"], Sampling(0.0, 8), [0])))[1].value
    )


def test_a_classifier_gives_its_likeliest_label_with_probabilities(tmp_path: Path) -> None:
    tiny_classifier(("no", "maybe", "yes")).save(tmp_path)
    talker = open_talker(str(tmp_path), options(temperature=1.0))
    answers = talker.answer(["a"] * 5, range(5))
    assert len(set(map(str, answers))) == 1
    probabilities = answers[0].probabilities
    assert probabilities is not None and set(probabilities) == {"no", "maybe", "yes"}
    assert list(probabilities.values()) == sorted(probabilities.values(), reverse=True)
    assert sum(probabilities.values()) == pytest.approx(1)
    assert answers[0].text == next(iter(probabilities))


def test_how_an_answer_is_shown() -> None:
    assert str(Answer(" a\n", is_truncated=False)) == "a"
    assert str(Answer("a", is_truncated=True)) == "a …"
    assert str(Answer("no", False, {"no": 0.75, "yes": 0.25})) == "no (no 0.75, yes 0.25)"


def test_an_unknown_policy_is_named() -> None:
    with pytest.raises(ModelError, match="^policy: ./nowhere: no such folder"):
        open_talker("./nowhere", options())


def test_a_policy_of_a_run_is_talked_to_as_in_its_run(tmp_path: Path) -> None:
    policy = tiny_policy()
    policy.tokenizer.chat_template = "{{ mood }}{% for message in messages %}{{ message['content'] }}{% endfor %}"
    policy.save(tmp_path / "run" / "policy")
    settings = {"policy": "x", "chat_template_kwargs": {"mood": "glad: "}, "system_prompt": "Be brief. "}
    config = find_preset("instructions").configure(settings)
    (tmp_path / "run" / "config.yaml").write_text(dump_config(config))
    for path in (tmp_path / "run", tmp_path / "run" / "policy"):
        talker = open_talker(str(path), options())
        tokens = talker.policy.prompt_tokens(talker.make_prompt("Hi."))
        assert talker.policy.tokenizer.decode(tokens) == "glad: Be brief. Hi."
    own = open_talker(str(tmp_path / "run"), options(system="Be long. "))
    assert own.make_prompt("Hi.")[0]["content"] == "Be long. "
