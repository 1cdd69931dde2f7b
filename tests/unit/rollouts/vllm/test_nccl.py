"""NCCL needs GPUs: what is tested is what is asked of vLLM, by the names that it has in 0.32."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from tests.tiny_models import tiny_policy

from backsight.errors import ConfigError
from backsight.policies import adapters
from backsight.policies.config import AdapterConfig
from backsight.rollouts.vllm.nccl import NcclTransfer, check_can_transfer

PLACE = "vllm.distributed.weight_transfer"


class Client:
    url, timeout = "http://127.0.0.1:8000", 5.0

    def __init__(self, calls: list[Any]) -> None:
        self.calls = calls

    def get(self, path: str) -> Any:
        self.calls.append(path)
        return {"world_size": 4}

    def post(self, path: str, body: Any = None) -> None:
        self.calls.append((path, body))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """All that is asked of vLLM, whose modules are replaced."""
    asked: list[Any] = []

    def trainer_init(group: Any, *, client: Any, source: Any) -> Any:
        asked.append((group, client, source))
        return SimpleNamespace(send_weights=lambda: asked.append("weights"))

    names: dict[str, dict[str, Any]] = {
        "base": {"ModuleSource": lambda module: module},
        "clients": {"HTTPVLLMWeightSyncClient": lambda url, timeout: (url, timeout)},
        "factory": {"WeightTransferTrainerFactory": SimpleNamespace(trainer_init=trainer_init)},
        "nccl_engine": {"NCCLTrainerInitInfo": lambda **fields: fields},
    }
    parents = ["vllm", "vllm.distributed", PLACE]
    for name in parents:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    for name, things in names.items():
        module = ModuleType(f"{PLACE}.{name}")
        module.__dict__.update(things)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        setattr(sys.modules[PLACE], name, module)
    monkeypatch.setattr(sys.modules["vllm"], "distributed", sys.modules["vllm.distributed"], raising=False)
    monkeypatch.setattr(sys.modules["vllm.distributed"], "weight_transfer", sys.modules[PLACE], raising=False)
    return asked


def test_the_group_is_made_once_and_again_after_a_restart(calls: list[Any]) -> None:
    policy, client = tiny_policy(), Client(calls)
    transfer = NcclTransfer(client)  # type: ignore[arg-type]
    transfer.send(policy, "a-1")
    size, (group, server, source), *sent = calls
    assert size == "/get_world_size" and group["world_size"] == 5 and group["rank"] == 0
    assert (group["master_address"], server, source) == ("127.0.0.1", (client.url, 5.0), policy.module)
    told = [("/reset_prefix_cache", None), ("/update_weight_version", {"new_version": "a-1"})]
    assert sent == ["weights", *told]
    calls.clear()
    transfer.send(policy, "a-2")
    assert calls[0] == "weights", "nobody has to meet again"
    calls.clear()
    transfer.send_again()
    assert calls[0] == "/get_world_size" and calls[-1] == ("/update_weight_version", {"new_version": "a-2"})


def test_what_cannot_be_sent_from_gpu_to_gpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    policy: Any = tiny_policy()
    with pytest.raises(ConfigError, match="engine.transfer: nccl: goes from GPU to GPU, and the policy is on none"):
        check_can_transfer(policy)
    on_gpu = SimpleNamespace(model=SimpleNamespace(device=SimpleNamespace(type="cuda")))
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(ConfigError, match=r"needs vLLM where backsight runs; pip install 'backsight\[vllm\]'"):
        check_can_transfer(on_gpu)  # type: ignore[arg-type]
    adapters.put_on(policy.model, AdapterConfig(r=2))
    on_gpu.model.peft_config = policy.model.peft_config
    with pytest.raises(ConfigError, match="sends whole models; adapters are small"):
        check_can_transfer(on_gpu)  # type: ignore[arg-type]
