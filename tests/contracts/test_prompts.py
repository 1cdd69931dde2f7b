"""What each kind of model is shown by each preset, to the token."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_models import tiny_classifier, tiny_policy, tiny_seq2seq

from backsight.config import RunConfig
from backsight.errors import DataError
from backsight.policies.text import TextPolicy
from backsight.presets.base import find_preset
from backsight.runs.start import begin
from backsight.types import Observation

ROWS: dict[str, list[dict[str, Any]]] = {
    "sentiment": [{"text": "good film", "label": "positive"}, {"text": "bad film", "label": "negative"}],
    "translation": [{"source": "cat", "target": "Katze"}],
    "summarization": [{"document": "A cat sat.", "summary": "Cat sat."}],
    "dialogue": [
        {"messages": [{"role": "user", "content": "Tea?"}, {"role": "assistant", "content": "Yes."}]},
    ],
    "logs": [
        {"messages": [{"role": "user", "content": "Tea?"}, {"role": "assistant", "content": "Yes.", "reward": 1}]},
        {"messages": [{"role": "user", "content": "Tea?"}, {"role": "assistant", "content": "No.", "reward": 0}]},
    ],
    "corrections": [{"prompt": "Tea?", "chosen": "Yes.", "rejected": "No."}],
}
GYM = "reasoning-gym:chain_sum,min_terms=2,max_terms=2,min_digits=1,max_digits=1"

CHATML = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
THINKING = CHATML.replace(
    "<|assistant|>{%", "<|assistant|><think>\n{% if enable_thinking is false %}</think>{% endif %}{%"
)
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + CHATML

PLAIN = {
    "sentiment": "good film\nsentiment:",
    "translation": "cat\n=>",
    "summarization": "A cat sat.\nTL;DR:",
    "dialogue": "user: Tea?\nassistant:",
    "logs": "user: Tea?\nassistant:",
    "corrections": "Tea?",
}
ASKED = {
    "sentiment": "Is the sentiment of this text negative or positive? Answer with one word.\n\ngood film",
    "translation": "Translate this text. Answer with the translation alone.\n\ncat",
    "summarization": "Summarize this document in 2 to 2 words.\n\nA cat sat.",
    "dialogue": "Tea?",
    "logs": "Tea?",
    "corrections": "Tea?",
}
DIALOGUE = "You are the assistant in this conversation. Answer briefly, as the next turn."


def model(kind: str) -> TextPolicy:
    if kind == "encoder-decoder":
        return tiny_seq2seq()
    if kind == "classifier":
        return tiny_classifier(("negative", "positive"))
    policy = tiny_policy(max_position_embeddings=4096)
    policy.tokenizer.chat_template = {"base": None, "instruct": CHATML, "thinking": THINKING, "gemma": NO_SYSTEM}[kind]
    return policy


def shown(preset: str, policy: TextPolicy, tmp_path: Path, **settings: Any) -> str:
    """Return the first training prompt as the model sees it: decoded from its tokens, special ones left out."""
    changes = {"policy": "tiny", **settings}
    if preset in ROWS:
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS[preset]))
        changes |= {"data": str(path), "eval_data": str(path)}
    found = find_preset(preset, changes)
    config: RunConfig = found.configure(changes)
    parts = begin(config, found.task(config), policy)
    prompt: Observation = parts.task.items("train")[0].prompt
    return str(policy.tokenizer.decode(policy.prompt_tokens(prompt), skip_special_tokens=True))


@pytest.mark.parametrize("kind", ["base", "encoder-decoder"])
@pytest.mark.parametrize("preset", list(ROWS))
def test_a_model_without_a_chat_template_goes_on_from_plain_text(kind: str, preset: str, tmp_path: Path) -> None:
    assert shown(preset, model(kind), tmp_path) == PLAIN[preset]


def test_a_classifier_reads_the_plain_text(tmp_path: Path) -> None:
    assert shown("sentiment", model("classifier"), tmp_path) == PLAIN["sentiment"]


@pytest.mark.parametrize(("kind", "cue"), [("instruct", "<|assistant|>"), ("thinking", "<|assistant|><think>\n")])
@pytest.mark.parametrize("preset", list(ROWS))
def test_a_model_with_a_chat_template_is_asked_in_a_chat(kind: str, cue: str, preset: str, tmp_path: Path) -> None:
    policy = model(kind)
    policy.chat_template_kwargs = {}
    settings: dict[str, Any] = {"shots": 0} if preset in ("sentiment", "translation") else {}
    system = f"<|system|>{DIALOGUE}<|end|>" if preset == "dialogue" else ""
    assert shown(preset, policy, tmp_path, **settings) == f"{system}<|user|>{ASKED[preset]}<|end|>{cue}"


def test_settings_reach_the_template(tmp_path: Path) -> None:
    policy = model("thinking")
    policy.chat_template_kwargs = {"enable_thinking": False}
    assert shown("summarization", policy, tmp_path).endswith("<|end|><|assistant|><think>\n</think>")


def test_examples_are_said_by_turns(tmp_path: Path) -> None:
    said = shown("sentiment", model("instruct"), tmp_path, shots=1, instruction="{text}?")
    assert said == "<|user|>bad film?<|end|><|assistant|>negative<|end|><|user|>good film?<|end|><|assistant|>"


def test_a_template_without_a_system_gets_its_text_in_the_first_message(tmp_path: Path) -> None:
    said = shown("dialogue", model("gemma"), tmp_path)
    assert said == f"<|user|>{DIALOGUE}\n\nTea?<|end|><|assistant|>"


@pytest.mark.parametrize(
    ("kind", "before", "behind"), [("base", "", "\n"), ("instruct", "<|user|>", "<|end|><|assistant|>")]
)
def test_generated_questions(kind: str, before: str, behind: str, tmp_path: Path) -> None:
    said = shown(GYM, model(kind), tmp_path)
    assert said.startswith(f"{before}State the final answer to the following arithmetic problem:")
    assert said.endswith(f"Write the answer alone, or else between <answer> and </answer>.{behind}")


def test_a_plain_form_can_be_chosen_for_a_chat_model(tmp_path: Path) -> None:
    said = shown("sentiment", model("instruct"), tmp_path, prompt_format="plain")
    assert said == PLAIN["sentiment"]


def test_a_prompt_that_ends_in_the_assistant_s_words_is_continued(tmp_path: Path) -> None:
    policy = model("instruct")
    prompt = [{"role": "user", "content": "Tea?"}, {"role": "assistant", "content": "Yes, and"}]
    assert policy.tokenizer.decode(policy.prompt_tokens(prompt)) == "<|user|>Tea?<|end|><|assistant|>Yes, and"


NEEDS_SYSTEM = "{% if messages[0].role != 'system' %}{{ raise_exception('begin with a system message') }}{% endif %}"


def test_a_template_that_needs_a_system_message_is_one_line_with_the_remedy(tmp_path: Path) -> None:
    policy = model("instruct")
    policy.tokenizer.chat_template = NEEDS_SYSTEM + CHATML
    with pytest.raises(DataError, match=r"refuses it \(begin with a system message\); .*see system_prompt") as caught:
        shown("summarization", policy, tmp_path)
    assert len(str(caught.value).splitlines()) == 1
    said = shown("summarization", policy, tmp_path, system_prompt="Be brief.")
    assert said.startswith("<|system|>Be brief.<|end|><|user|>")


def test_examples_that_nobody_asked_for_are_left_out_where_they_leave_no_room(tmp_path: Path) -> None:
    policy = tiny_policy(max_position_embeddings=160)
    policy.tokenizer.chat_template = CHATML
    assert shown("sentiment", policy, tmp_path) == f"<|user|>{ASKED['sentiment']}<|end|><|assistant|>"
    with pytest.raises(DataError, match="are too long"):
        shown("sentiment", policy, tmp_path, shots=1)
