"""What training takes and what there is, with made-up sizes and a made-up kernel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from tiny_models import tiny_policy

from backsight.policies.footprint import available_bytes, training_bytes, why_too_large

CPU = torch.device("cpu")
V1 = "5:cpu:/\n4:memory:/job/task\n"
V2 = "0::/job/task\n"


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_sixteen_bytes_a_weight_and_four_where_a_copy_is_kept() -> None:
    assert training_bytes(1000, 0, 0, 0, on_gpu=True) == 16_000
    assert training_bytes(1000, 0, 0, 0, on_gpu=False) == 20_000


def test_a_micro_batch_is_counted() -> None:
    """2,048 tokens of two layers of width 8, and of 100 entries of the vocabulary, four bytes a number."""
    assert training_bytes(0, 2, 8, 100, on_gpu=True) == 4 * 2048 * (17 * 2 * 8 + 3 * 100)


def test_it_is_near_what_was_measured() -> None:
    assert 5.8e9 < training_bytes(134_515_008, 30, 576, 49_152, on_gpu=False) < 6.7e9


def test_a_model_is_too_large_where_the_rest_of_it_does_not_fit() -> None:
    model = tiny_policy().model
    shape = model.config
    count = sum(weight.numel() for weight in model.parameters())
    sizes = (shape.num_hidden_layers, shape.hidden_size, shape.vocab_size)
    rest = training_bytes(count, *sizes, on_gpu=False) - 4 * count
    assert why_too_large(model, rest) is None and why_too_large(model, None) is None
    cause = why_too_large(model, rest - 1)
    assert cause is not None and cause.startswith("training all 0 million weights takes about 0.0 GiB, and there are")


MEMINFO = {"proc/meminfo": "MemTotal: 4000 kB\nMemAvailable:    3000 kB\n"}
GROUPS: dict[str, tuple[dict[str, str], int | None]] = {
    "nothing is known": ({}, None),
    "no group": (MEMINFO, 3_072_000),
    "a group without a limit": (
        {**MEMINFO, "proc/self/cgroup": V2, "sys/fs/cgroup/job/task/memory.max": "max\n"},
        3_072_000,
    ),
    "a limit of its own": (
        {
            **MEMINFO,
            "proc/self/cgroup": V2,
            "sys/fs/cgroup/job/task/memory.max": "5000\n",
            "sys/fs/cgroup/job/task/memory.current": "3000\n",
            "sys/fs/cgroup/job/task/memory.stat": "anon 2500\ninactive_file 400\n",
        },
        2400,
    ),
    "a limit above it": (
        {
            **MEMINFO,
            "proc/self/cgroup": V2,
            "sys/fs/cgroup/job/task/memory.max": "5000\n",
            "sys/fs/cgroup/job/task/memory.current": "100\n",
            "sys/fs/cgroup/job/memory.max": "5000\n",
            "sys/fs/cgroup/job/memory.current": "4900\n",
        },
        100,
    ),
    "the first version": (
        {
            **MEMINFO,
            "proc/self/cgroup": V1,
            "sys/fs/cgroup/memory/job/task/memory.limit_in_bytes": "5000\n",
            "sys/fs/cgroup/memory/job/task/memory.usage_in_bytes": "3000\n",
            "sys/fs/cgroup/memory/job/task/memory.stat": "inactive_file 1\ntotal_inactive_file 500\n",
        },
        2500,
    ),
    "a container that sees its own group as the root": (
        {
            **MEMINFO,
            "proc/self/cgroup": V1,
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9000\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "10000\n",
        },
        0,
    ),
}


@pytest.mark.parametrize("name", GROUPS)
def test_what_there_is_counts_the_limits_of_groups(name: str, tmp_path: Path) -> None:
    files, expected = GROUPS[name]
    assert available_bytes(CPU, write(tmp_path, files)) == expected
