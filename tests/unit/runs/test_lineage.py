"""Where a policy comes from: by name only, and the licence that its base states."""

from pathlib import Path

import pytest
from huggingface_hub import constants

from backsight.runs.lineage import Base, chain_of_bases, find_base


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "somewhere" / "base"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    return folder


def make_run(folder: Path, policy: str) -> str:
    (folder / "policy").mkdir(parents=True)
    (folder / "config.yaml").write_text(f"policy: {policy!r}\n")
    return str(folder)


@pytest.fixture
def hub_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model of the hub that was downloaded: its folder in the cache."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    repo = tmp_path / "cache" / "models--owner--name"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text("1" * 40)
    (repo / "snapshots" / ("1" * 40)).mkdir(parents=True)
    (repo / "snapshots" / ("1" * 40) / "config.json").write_text("{}")
    return repo / "snapshots" / ("1" * 40)


def test_the_chain_goes_back_over_runs_to_the_first_model(tmp_path: Path, model: Path) -> None:
    warm = make_run(tmp_path / "runs" / "warm", str(model))
    tuned = make_run(tmp_path / "runs" / "tuned", f"{warm}/policy")
    assert chain_of_bases(tuned) == ["run tuned", "run warm", "base"]
    assert find_base(tuned) == Base("base", None, "unknown")


def test_an_adapter_is_followed_to_its_base(tmp_path: Path, model: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(f'{{"base_model_name_or_path": "{model}"}}')
    assert chain_of_bases(str(adapter)) == ["adapter", "base"]


def test_the_chain_ends_where_a_folder_is_gone_or_begins_again(tmp_path: Path) -> None:
    assert chain_of_bases(make_run(tmp_path / "a", str(tmp_path / "gone"))) == ["run a", "gone"]
    circle = tmp_path / "circle"
    assert chain_of_bases(make_run(circle, str(circle))) == ["run circle"]
    (circle / "config.yaml").write_text("[")
    assert chain_of_bases(str(circle)) == ["run circle"]
    assert chain_of_bases("given in Python") == ["given in Python"]


def test_a_model_of_the_hub_is_named_by_its_id(tmp_path: Path, hub_model: Path) -> None:
    (hub_model / "README.md").write_text("---\nlicense: llama3\n---\n")
    assert find_base(make_run(tmp_path / "a", "owner/name")) == Base("owner/name", "owner/name", "llama3")
    assert find_base("runs/name") == Base("name", None, "unknown"), "a run folder that is gone is no id"


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("README.md", "---\nlicense: gemma\nbase_model: owner/first\n---\n", ("owner/first", "gemma")),
        ("README.md", "---\nlicense: [a, b]\nbase_model: [a]\n---\n", (None, "unknown")),
        ("README.md", "---\nlicense: [\n---\n", (None, "unknown")),
        ("README.md", "# no front matter\n", (None, "unknown")),
        ("LICENSE", "\n          Apache License\n      Version 2.0, January 2004\n", (None, "apache-2.0")),
        ("LICENSE.txt", "MIT License\n\nCopyright", (None, "mit")),
        ("LICENSE", "You may look at it.", (None, "other")),
    ],
)
def test_the_licence_is_what_the_base_states(model: Path, file: str, text: str, found: tuple[str | None, str]) -> None:
    (model / file).write_text(text)
    base = find_base(str(model))
    assert (base.hub_id, base.license) == found
