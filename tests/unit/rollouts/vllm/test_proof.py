import hashlib

import pytest
import torch
from tests.tiny_models import tiny_policy

from backsight.errors import EngineError
from backsight.rollouts.engines import engine_for
from backsight.rollouts.vllm.proof import NOTHING, PROBES, SAMPLING, check_answers, check_checksums

URL = "http://127.0.0.1:1"


def checksums(policy: object, dtype: torch.dtype) -> dict[str, str]:
    weights = policy.model.named_parameters()  # type: ignore[attr-defined]
    content = {name: weight.detach().to(dtype).view(torch.uint8).numpy().tobytes() for name, weight in weights}
    return {f"dp0:tp0:{name}": hashlib.sha256(each).hexdigest() for name, each in content.items()}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_bytes_are_compared_in_the_precision_of_the_server(dtype: torch.dtype) -> None:
    policy = tiny_policy()
    served = checksums(policy, dtype)
    check_checksums(policy, served, dtype, URL)
    name = next(each for each in served if "layers.0" in each)
    check_checksums(policy, {**served, name: NOTHING}, dtype, URL)
    sharded = {**served, name.replace("tp0", "tp1"): "half of it"}
    check_checksums(policy, sharded, dtype, URL)
    embedding = next(each for each in served if "embed" in each)
    check_checksums(policy, {**served, embedding: "with rows that are never read"}, dtype, URL)
    with pytest.raises(EngineError, match="differs"):
        check_checksums(policy, {**served, name: "other"}, dtype, URL)


def test_answers_are_held_against_a_bound() -> None:
    policy = tiny_policy()
    answers = [
        action for _, action in sorted(engine_for(policy).act(PROBES, SAMPLING, range(3)), key=lambda each: each[0])
    ]
    assert check_answers(policy, answers, torch.float32, URL).largest < 1e-4
    answers[0].log_probs[0] += 0.05
    check_answers(policy, answers, torch.bfloat16, URL)
    with pytest.raises(EngineError, match=r"differ by up to 0.05"):
        check_answers(policy, answers, torch.float32, URL)
