"""Chat templates of models: programs of somebody else's that refuse, fail or never end."""

from __future__ import annotations

import time

import pytest
from tiny_models import tiny_policy

from backsight.errors import DataError
from backsight.policies import chat
from backsight.policies.text import TextPolicy

ASKED = [{"role": "user", "content": "hello"}]
SYSTEM = [{"role": "system", "content": "be brief"}, *ASKED]
NO_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for each in messages %}{{ each['content'] }}\n{% endfor %}"
)
ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% set c = b %}{% endfor %}{% endfor %}x"


def policy_with(template: str) -> TextPolicy:
    policy = tiny_policy()
    policy.tokenizer.chat_template = template
    return policy


def test_messages_become_tokens() -> None:
    policy = policy_with(NO_SYSTEM)
    assert policy.prompt_tokens(ASKED) == tuple(policy.tokenizer("hello\n", add_special_tokens=False)["input_ids"])


@pytest.mark.parametrize(
    ("template", "messages", "reason"),
    [
        (NO_SYSTEM, SYSTEM, r"refuses it \(System role not supported\)"),
        ("{{ messages[9].content.strip() }}", ASKED, "refuses it \\(UndefinedError: "),
        ("{{ messages[0].content + 1 }}", ASKED, "refuses it \\(TypeError: "),
        ("{% for", ASKED, "refuses it \\(TemplateSyntaxError: "),
        ("", ASKED, "makes no tokens of it"),
    ],
)
def test_what_a_template_refuses_is_one_line(template: str, messages: list[dict[str, str]], reason: str) -> None:
    with pytest.raises(DataError, match=f"messages: .*chat template {reason}") as caught:
        policy_with(template).prompt_tokens(messages)
    assert "\n" not in str(caught.value)


def test_a_refusal_is_not_taken_for_a_prompt_that_is_too_long() -> None:
    """An episode whose next prompt is too long is cut off, without a word."""
    policy = policy_with(NO_SYSTEM)
    assert policy.fits(ASKED, 4) and not policy.fits([{"role": "user", "content": "word " * 5_000}], 4)
    with pytest.raises(DataError, match="System role not supported"):
        policy.fits(SYSTEM, 4)


def test_a_template_that_never_ends_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat, "SECONDS", 0.3)
    start = time.monotonic()
    with pytest.raises(DataError, match="has not ended after 0.3 s"):
        policy_with(ENDLESS).prompt_tokens(ASKED)
    assert time.monotonic() - start < 30
    left = [thread for thread in chat.threading.enumerate() if thread.name == "chat template"]
    for thread in left:
        thread.join(30)
        assert not thread.is_alive(), "it takes no more time"
