"""Weights lie in aligned memory of their own, however they were loaded, and can be rounded."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import ENCODERS, FAMILIES, tiny_classifier, tiny_policy, tiny_seq2seq
from torch import nn

from backsight.feedback.reward_model import RewardModel
from backsight.policies.memory import in_full_precision, load_tensors, move_to_own_memory, round_to_bfloat16
from backsight.policies.opening import open_policy

MAKERS = {
    "decoder": tiny_policy,
    "encoder-decoder": tiny_seq2seq,
    "encoder": lambda: tiny_classifier(("good", "bad")),
}


def is_aligned(module: nn.Module) -> bool:
    return all(tensor.data_ptr() % 64 == 0 for tensor in [*module.parameters(), *module.buffers()])


@pytest.mark.parametrize("kind", MAKERS)
def test_opened_policies_are_aligned_and_do_not_follow_the_file(kind: str, tmp_path: Path) -> None:
    MAKERS[kind]().save(tmp_path)
    policy = open_policy(str(tmp_path), labels=("good", "bad"))
    assert is_aligned(policy.module)
    before = {name: weight.clone() for name, weight in policy.module.state_dict().items()}
    path = tmp_path / "model.safetensors"
    with path.open("r+b") as file:  # the same file, as another program would change it
        file.seek(-64, 2)
        file.write(b"\xff" * 64)
    assert all(torch.equal(before[name], weight) for name, weight in policy.module.state_dict().items())


@pytest.mark.parametrize("kind", MAKERS)
def test_weights_can_be_read_by_whom_other_files_can_be_read(kind: str, tmp_path: Path) -> None:
    MAKERS[kind]().save(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} > {".safetensors"}
    assert len({path.stat().st_mode for path in tmp_path.iterdir()}) == 1


def test_a_reward_model_is_aligned(tmp_path: Path) -> None:
    tiny_classifier(("good", "bad")).save(tmp_path)
    assert is_aligned(RewardModel.load(str(tmp_path), label="good").model)


def test_what_is_tied_stays_tied_and_what_is_shared_stays_shared() -> None:
    module = nn.ModuleDict({"one": nn.Linear(3, 3), "two": nn.Linear(3, 3)})
    module["two"].weight = module["one"].weight  # type: ignore[assignment]
    module["one"].bias.share_memory_()  # type: ignore[operator,union-attr]
    place = module["one"].bias.data_ptr()  # type: ignore[operator,union-attr]
    move_to_own_memory(module)
    assert module["two"].weight is module["one"].weight
    assert module["one"].bias.data_ptr() == place  # type: ignore[operator,union-attr]


def test_tensors_are_aligned_and_the_same(tmp_path: Path) -> None:
    save_file({"a": torch.arange(3.0), "b": torch.arange(7, dtype=torch.bfloat16)}, tmp_path / "x.safetensors")
    found, mapped = load_tensors(tmp_path / "x.safetensors"), load_file(tmp_path / "x.safetensors")
    assert any(tensor.data_ptr() % 64 for tensor in mapped.values()), "or there is nothing to mend"
    assert all(tensor.data_ptr() % 64 == 0 for tensor in found.values())
    assert found.keys() == mapped.keys() and all(torch.equal(found[name], mapped[name]) for name in found)


def test_a_copy_in_full_precision_leaves_the_module_as_it_was() -> None:
    module = nn.Sequential(nn.Linear(2, 2).bfloat16(), nn.Linear(2, 2))
    before = [weight.data_ptr() for weight in module.parameters()]
    exact = in_full_precision(module)
    assert {weight.dtype for weight in exact.parameters()} == {torch.float32}
    assert [weight.data_ptr() for weight in module.parameters()] == before and module[0].weight.dtype == torch.bfloat16
    assert exact[1].weight is module[1].weight and torch.equal(exact[0].weight, module[0].weight.float())
    assert in_full_precision(exact) is exact


@pytest.mark.parametrize("family", [*FAMILIES, *ENCODERS])
def test_bfloat16_leaves_the_frequencies_of_rotary_positions_alone(family: str) -> None:
    policy = tiny_classifier(("good", "bad"), family) if family in ENCODERS else tiny_policy(family)
    before = {name: table.clone() for name, table in policy.module.named_buffers() if name.endswith("inv_freq")}
    round_to_bfloat16(policy.module)
    assert all(weight.dtype == torch.bfloat16 for weight in policy.module.parameters())
    tables = dict(policy.module.named_buffers())
    assert all(torch.equal(tables[name], exact) for name, exact in before.items())
    tokens_BT = torch.tensor([[5, 6, 7]])
    assert policy.module(input_ids=tokens_BT).logits.dtype == torch.bfloat16


def test_angles_of_late_positions_are_exact_in_bfloat16() -> None:
    module = tiny_policy("llama").module
    rotate = module.get_submodule("model.rotary_emb")
    positions_BT = torch.tensor([[300]])
    exact, _ = rotate(torch.zeros(1, 1, 1), positions_BT)
    round_to_bfloat16(module)
    rounded, _ = rotate(torch.zeros(1, 1, 1, dtype=torch.bfloat16), positions_BT)
    torch.testing.assert_close(rounded.float(), exact, rtol=0, atol=2**-8)


def test_only_the_named_weights_are_rounded() -> None:
    layer = nn.Linear(2, 2)
    round_to_bfloat16(layer, [layer.bias])
    assert (layer.weight.dtype, layer.bias.dtype) == (torch.float32, torch.bfloat16)
