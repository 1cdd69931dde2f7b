"""Machines by name, for plans of runs on a machine that is not there: published figures, and where they are from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from backsight.errors import ConfigError, nearest

LEARNING_SHARE = 0.4
"""Share of the published rate of products that forward and backward passes are taken to reach: what well-kept training
of language models reaches on GPUs (PaLM, arXiv:2204.02311, section 4.1: 0.21 to 0.46)."""
READING_SHARE = 0.6
"""Share of the published bandwidth that decoding is taken to reach."""
SECONDS_A_LAUNCH = 5e-6
"""Least time of one operation of a layer: a GPU is no faster for a small model."""
LAUNCHES_A_LAYER = 12


@dataclass(frozen=True, slots=True)
class Machine:
    """What is published of a machine: the dense rates of products, without sparsity."""

    memory_bytes: float
    bytes_a_second: float
    """Bandwidth of the memory."""
    float32_rate: float
    """Floating-point operations a second in float32."""
    bfloat16_rate: float
    is_gpu: bool
    """Whether models lie on it as on an NVIDIA GPU; backsight computes on the CPU of all others."""
    source: str

    def rate(self, bf16: bool) -> float:
        """Return the operations a second that learning is taken to reach."""
        return LEARNING_SHARE * (self.bfloat16_rate if bf16 else self.float32_rate)


HOPPER = "NVIDIA, H100 and H200 Tensor Core GPU datasheets (SXM)"
AMPERE = "NVIDIA A100 Tensor Core GPU datasheet (80 GB, SXM)"
ADA = "NVIDIA Ada GPU architecture whitepaper, appendix A"

MACHINES: Mapping[str, Machine] = {
    "h100": Machine(80e9, 3.35e12, 67e12, 989e12, True, HOPPER),
    "h200": Machine(141e9, 4.8e12, 67e12, 989e12, True, HOPPER),
    "a100": Machine(80e9, 2.039e12, 19.5e12, 312e12, True, AMPERE),
    "l4": Machine(24e9, 0.3e12, 30.3e12, 121e12, True, "NVIDIA L4 Tensor Core GPU datasheet"),
    "4090": Machine(24e9, 1.008e12, 82.6e12, 165.2e12, True, ADA),
    "t4": Machine(16e9, 0.32e12, 8.1e12, 8.1e12, True, "NVIDIA T4 datasheet; it has no bfloat16 of its own"),
    "m3": Machine(
        24e9,
        0.1e12,
        1.4e12,
        1.4e12,
        False,
        "Apple M3, largest memory; bandwidth and CPU products as measured in arXiv:2502.05317",
    ),
}
"""Machines by the name that `backsight plan --machine` takes."""


def find_machine(name: str) -> Machine:
    """Return the machine of this name.

    Raises:
        ConfigError: when nobody knows it; the message names those that are known.
    """
    known = {each.casefold(): machine for each, machine in MACHINES.items()}
    if name.casefold() not in known:
        remedy = nearest(name.casefold(), MACHINES)
        if "known" not in remedy:
            remedy = f"{remedy} known: {', '.join(MACHINES)}"
        raise ConfigError("machine", name, remedy)
    return known[name.casefold()]
