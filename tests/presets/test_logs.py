"""The preset `logs`, from its settings to its task."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_models import tiny_policy

from backsight import presets
from backsight.config import change_config
from backsight.errors import ConfigError
from backsight.finetuning import finetune
from backsight.session import LIKELIHOOD
from backsight.tasks.conversations import ConversationsTask

MESSAGES = [
    {"role": "user", "content": "A latte."},
    {"role": "assistant", "content": "Milk?", "reward": 1},
    {"role": "user", "content": "I said a latte."},
]


def test_it_wants_data() -> None:
    preset = presets.get("logs")
    with pytest.raises(ConfigError, match="data: None: logs needs rows with 'messages'"):
        preset.task(preset.config)


@pytest.mark.parametrize(("weight", "feedback"), [(0.0, None), (1.0, "I said a latte.")])
def test_the_next_turn_is_feedback_for_those_who_learn_from_it(
    tmp_path: Path, weight: float, feedback: str | None
) -> None:
    data = tmp_path / "conversations.jsonl"
    data.write_text(json.dumps({"messages": MESSAGES}))
    preset = presets.get("logs")
    changes = {"data": str(data), "eval_data": str(data), "hindsight": {"distill_weight": weight}}
    (item,) = preset.task(change_config(preset.config, changes)).items("train")
    assert item.columns["feedback"] == feedback


@pytest.mark.parametrize(("rewards", "is_compared"), [((1, 1), False), ((1, 0), True)])
def test_turns_are_compared_where_there_are_two_kinds(
    tmp_path: Path, rewards: tuple[int, ...], is_compared: bool
) -> None:
    data = tmp_path / "conversations.jsonl"
    conversations = [[MESSAGES[0], {"role": "assistant", "content": "Milk?", "reward": reward}] for reward in rewards]
    data.write_text("".join(json.dumps({"messages": each}) + "\n" for each in conversations))
    result = finetune(
        tiny_policy(),
        ConversationsTask(str(data), test=str(data)),
        hindsight="recorded",
        algorithm="reinforce",
        prompts_per_step=2,
        max_completion_length=4,
        stop={"max_steps": 1},
        output_dir=str(tmp_path / "runs"),
        show_progress=False,
    )
    assert (LIKELIHOOD in result.before) == (LIKELIHOOD in result.after) == is_compared
