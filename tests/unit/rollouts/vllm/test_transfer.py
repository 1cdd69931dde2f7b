import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.fake_vllm import FakeVllm
from tests.tiny_models import tiny_policy

from backsight.policies.opening import open_policy
from backsight.rollouts.vllm.client import VllmClient
from backsight.rollouts.vllm.transfer import HEAD, HEAD_FILE, FolderTransfer, save, save_untied


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


@pytest.mark.parametrize("tied", [True, False])
def test_the_head_is_written_also_where_it_is_the_embedding(tmp_path: Path, tied: bool) -> None:
    policy = tiny_policy(tie_word_embeddings=tied)
    save(policy, tmp_path / "kept")
    save_untied(policy, tmp_path / "untied")
    head = policy.model.get_output_embeddings().weight
    assert (tmp_path / "kept" / HEAD_FILE).exists() is tied
    for name, is_tied in (("kept", tied), ("untied", False)):
        config = json.loads((tmp_path / name / "config.json").read_text())
        files = (tmp_path / name).glob("*.safetensors")
        written = [load_file(each)[HEAD] for each in files if HEAD in load_file(each)]
        assert config["tie_word_embeddings"] is is_tied and len(written) == 1 and torch.equal(written[0], head)
