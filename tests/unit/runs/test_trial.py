"""One prompt as the policy sees it, and what it answers."""

from __future__ import annotations

import json
from pathlib import Path

from tiny_models import reciting_policy, tiny_policy

from backsight.policies.text import TextPolicy
from backsight.presets.base import find_preset
from backsight.runs.start import begin
from backsight.runs.trial import as_seen, try_out


def tried(policy: TextPolicy, tmp_path: Path) -> dict[str, str]:
    rows = [{"text": "good", "label": "right"}, {"text": "bad", "label": "wrong"}]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = {"data": str(path), "eval_data": str(path), "policy": "tiny", "max_completion_length": 12}
    found = find_preset("sentiment", settings)
    config = found.configure(settings)
    return dict(try_out(begin(config, found.task(config), policy)))


def test_it_shows_a_prompt_and_three_answers_with_their_rewards(tmp_path: Path) -> None:
    shown = tried(reciting_policy("right", template=None), tmp_path)
    assert list(shown) == ["prompt of test/1", "answer 1", "answer 2", "answer 3"]
    assert shown["prompt of test/1"].endswith("good\\nsentiment:'")
    assert shown["answer 1"] == "(reward 1.00, correct 1.00, valid 1.00) 'right'"


def test_it_says_when_no_answer_could_be_judged(tmp_path: Path) -> None:
    shown = tried(reciting_policy("a blur", template=None), tmp_path)
    assert shown["answer 3"] == "(reward 0.00, correct 0.00, valid 0.00) 'a blur'"
    assert shown["answers"].startswith("none of 3 could be judged; see instruction, shots")


def test_a_prompt_is_seen_with_its_special_tokens() -> None:
    policy = tiny_policy()
    assert as_seen(policy, "Hi.") == policy.tokenizer.decode(policy.prompt_tokens("Hi."))
