from pathlib import Path

import pytest
import torch
from tests.fake_vllm import FakeVllm
from tests.tiny_models import tiny_policy

from backsight.policies.opening import open_policy
from backsight.rollouts.vllm.client import VllmClient
from backsight.rollouts.vllm.transfer import FolderTransfer


@pytest.mark.parametrize("times", [1, 3])
def test_the_newest_weights_alone_stay_in_the_folder(tmp_path: Path, times: int) -> None:
    policy = tiny_policy()
    with FakeVllm(tiny_policy(seed=1)) as server:
        transfer = FolderTransfer(VllmClient(server.url, 5.0, 0), tmp_path)
        for number in range(times):
            with torch.no_grad():
                next(policy.module.parameters()).add_(1.0)
            transfer.send(policy, f"run-{number}")
        server.version = "default"
        transfer.send_again()
        assert server.version == f"run-{times - 1}" and server.asked["/reset_prefix_cache"] == times + 1
        name, weight = next(policy.module.named_parameters())
        assert torch.equal(dict(server.policy.module.named_parameters())[name], weight)
    assert [each.name for each in tmp_path.iterdir()] == [f"run-{times - 1}"]
    assert torch.equal(next(open_policy(str(tmp_path / f"run-{times - 1}")).module.parameters()), weight)
