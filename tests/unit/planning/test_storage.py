"""What a run folder takes."""

from __future__ import annotations

from backsight.planning.memory import ModelSize
from backsight.planning.storage import Written, disk_of
from backsight.training.config import StopConfig, TrainingConfig

SIZE = ModelSize(1000, 1000, 900, num_layers=2, hidden_size=8, vocab_size=100, cache_bytes=64)


def test_checkpoints_hold_weights_moments_and_copies() -> None:
    config = TrainingConfig(stop=StopConfig(max_steps=10), save_steps=2)
    disk = disk_of(SIZE, config, ("reference",), 10, Written(100.0, 640, 10, 20))
    a_checkpoint = 4000 * 2 + 8000
    assert disk == {
        "checkpoints": 3 * a_checkpoint,  # two that are kept, and the one that is written
        "policy": 4000,
        "trajectories": 64_000,
        "answers": 2000,
        "traces": 280,
    }


def test_a_run_without_save_steps_has_one_checkpoint() -> None:
    disk = disk_of(SIZE, TrainingConfig(stop=StopConfig(max_steps=10)), (), 10, Written(0, 0, 0, 0))
    assert disk["checkpoints"] == 12_000
