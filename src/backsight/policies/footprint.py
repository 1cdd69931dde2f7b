"""How much memory it takes to train all weights of a model, and how much there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from backsight.policies.limits import text_config

BYTES_OF_A_WEIGHT = 4
"""Bytes of a weight in float32."""
COPIES = 5
"""Numbers that are held for a weight that is trained: the weight, its gradient, the two moments of AdamW, and the
weight from before the step (`training/safeguard.py`), which of a model on a GPU lies in main memory."""
NUMBERS_OF_A_LAYER = 17
"""Numbers that a layer keeps of each token for the backward pass, as a multiple of its width (Korthikanti 2022,
arXiv:2205.05198, equation 2: 34 bytes in 16 bits), attention scores left out."""
NUMBERS_OF_A_LOGIT = 3
"""Numbers that are held for each entry of the vocabulary and token: the logit, its log-probability, its gradient."""
TOKENS = 2048
"""Tokens in one forward pass: the default of `micro_batch_size`."""
GIB = 2**30


def training_bytes(num_weights: int, num_layers: int, hidden_size: int, vocab_size: int, *, on_gpu: bool) -> int:
    """Estimate the memory that training of all weights takes, in bytes, by AdamW in float32.

    That is 16 bytes a weight, 20 where the kept copy lies in the same memory, and what one micro-batch leaves behind.
    SmolLM2-135M is estimated at 6.3 GB, and took 5.8 to 6.7.
    """
    copies = COPIES - 1 if on_gpu else COPIES
    of_a_token = NUMBERS_OF_A_LAYER * num_layers * hidden_size + NUMBERS_OF_A_LOGIT * vocab_size
    return BYTES_OF_A_WEIGHT * (copies * num_weights + TOKENS * of_a_token)


def why_too_large(model: Any, available: int | None, *, is_loaded: bool = True) -> str | None:
    """Return why not all weights of a model can be trained with `available` bytes more than it holds now.

    Return None where they can, or where nobody knows how much there is.
    """
    weights, shape = list(model.parameters()), text_config(model.config)
    count = sum(weight.numel() for weight in weights)
    sizes = (getattr(shape, name, 0) or 0 for name in ("num_hidden_layers", "hidden_size", "vocab_size"))
    needed = training_bytes(count, *sizes, on_gpu=weights[0].is_cuda)
    held = sum(weight.numel() * weight.element_size() for weight in weights) if is_loaded else 0
    if available is None or needed - held <= available:
        return None
    return (
        f"training all {count / 1e6:,.0f} million weights takes about {needed / GIB:.1f} GiB, "
        f"and there are {(available + held) / GIB:.1f}"
    )


def available_bytes(device: torch.device, root: Path = Path("/")) -> int | None:
    """Return how much more memory this process can have, in bytes; None if the system does not say.

    On a GPU that is what is free. In main memory it is what the kernel counts as available, or less where a control
    group limits the process. `root` is where the files of the kernel lie.
    """
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return min([*_available_to_all(root), *_left_in_groups(root)], default=None)


def _available_to_all(root: Path) -> Iterator[int]:
    for line in _lines(root / "proc/meminfo"):
        if line.startswith("MemAvailable:"):
            yield 1024 * int(line.split()[1])


def _left_in_groups(root: Path) -> Iterator[int]:
    """Yield what each control group above the process leaves; files in its cache make room when it is needed."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            place, limit, usage, cached = root / "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            place, cached = root / "sys/fs/cgroup/memory", "total_inactive_file"
            limit, usage = "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        own = place / path.lstrip("/")
        for group in (own, *(each for each in own.parents if each.is_relative_to(place))):
            most, used = _numbers(group / limit), _numbers(group / usage)
            if most and used:
                known = dict(each.split() for each in _lines(group / "memory.stat"))
                yield max(0, most[0] - used[0] + int(known.get(cached, 0)))


def _numbers(path: Path) -> list[int]:
    return [int(line) for line in _lines(path) if line.isdigit()]


def _lines(path: Path) -> list[str]:
    """Return the lines of a file of the kernel; none where it does not exist or may not be read."""
    try:
        return path.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return []
