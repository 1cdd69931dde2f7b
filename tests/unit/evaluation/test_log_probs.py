"""Mean log-probabilities do not depend on how the work is cut."""

import pytest
import torch
from tiny_models import tiny_policy

from backsight.evaluation import log_probs
from backsight.evaluation.log_probs import mean_log_probs
from backsight.types import Example


def test_the_same_in_one_piece_and_in_many(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = tiny_policy()
    said = [("a", "bcd"), ("xyz", "e"), ("a", "fg")]
    examples = [
        Example((prompt,), (tokens,), "test", torch.zeros(len(tokens)))
        for prompt, tokens in ((prompt, policy.encode(text)) for prompt, text in said)
    ]
    at_once = mean_log_probs(policy, examples)
    monkeypatch.setattr(log_probs, "MICRO_BATCH_TOKENS", 1)
    assert mean_log_probs(policy, examples) == pytest.approx(at_once, abs=1e-5)
    alone = [float(policy.log_probs([example]).log_probs_N.detach().mean()) for example in examples]
    assert at_once == pytest.approx(alone, abs=1e-5)
    assert mean_log_probs(policy, []) == []
