"""The code that a card prints runs as it stands, for every kind of policy, with an adapter and without."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_models import tiny_classifier, tiny_policy, tiny_seq2seq

from backsight.policies import adapters
from backsight.policies.config import AdapterConfig
from backsight.policies.opening import open_policy
from backsight.policies.text import TextPolicy
from backsight.reports.loading_code import loading_code
from backsight.runs.card import loading_of

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")  # by PEFT

LABELS = ("no", "yes", "perhaps")
TEMPLATE = "{% for each in messages %}{{ each['content'] }}{% endfor %}"


def talker() -> TextPolicy:
    policy = tiny_policy()
    policy.tokenizer.chat_template = TEMPLATE
    return policy


KINDS: dict[str, Callable[[], TextPolicy]] = {
    "causal": tiny_policy,
    "causal with a chat template": talker,
    "seq2seq": tiny_seq2seq,
    "classifier": lambda: tiny_classifier(LABELS),
}


def run(code: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.chdir(folder)
    exec(compile(code.replace("max_new_tokens=64", "max_new_tokens=2"), "card", "exec"), {})
    return capsys.readouterr().out


@pytest.mark.parametrize("with_adapter", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_it_runs_as_it_is_printed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    with_adapter: bool,
) -> None:
    policy = KINDS[kind]()
    policy.save(tmp_path / "base")
    if with_adapter:
        labels = LABELS if kind == "classifier" else ()
        policy = open_policy(str(tmp_path / "base"), labels=labels, adapter=AdapterConfig())
    policy.save(tmp_path / "policy")
    code = loading_code(loading_of(policy))
    assert ("peft" in code) == with_adapter and ("apply_chat_template" in code) == (
        kind == "causal with a chat template"
    )
    said = run(code, tmp_path / "policy", monkeypatch, capsys)
    assert said.strip() in LABELS if kind == "classifier" else said


def test_an_adapter_for_an_encoder_without_a_head_says_how_many_labels_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = tiny_classifier(LABELS)
    bare.model.base_model.save_pretrained(tmp_path / "base")
    bare.tokenizer.save_pretrained(tmp_path / "base")
    policy = open_policy(str(tmp_path / "base"), labels=LABELS, adapter=AdapterConfig())
    assert adapters.has_adapter(policy.model)
    policy.save(tmp_path / "policy")
    assert run(loading_code(loading_of(policy)), tmp_path / "policy", monkeypatch, capsys).strip() in LABELS
