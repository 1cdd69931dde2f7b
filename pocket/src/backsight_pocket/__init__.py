"""A small language model and the generated world it was built on, to try backsight offline."""

from __future__ import annotations

from pathlib import Path

MODEL_FOLDER = Path(__file__).parent / "model"


def model_folder() -> str:
    """Return the folder of the model that `policy=pocket` stands for."""
    return str(MODEL_FOLDER)
