"""The pocket model made from nothing."""

from pathlib import Path

import pytest

from backsight_pocket.build import Recipe, build


def test_the_same_recipe_builds_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backsight_pocket.build.TOKENIZER_DOCUMENTS", 500)
    recipe = Recipe(
        vocabulary_size=1024, hidden_size=16, num_heads=2, intermediate_size=16, batch_rows=4, row_tokens=128, steps=3
    )
    for name in ("first", "second"):
        build(tmp_path / name, recipe)
    first, second = (sorted((tmp_path / name).iterdir()) for name in ("first", "second"))
    assert [path.name for path in first] == [path.name for path in second]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
