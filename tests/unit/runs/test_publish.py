"""An upload to the hub, or rather to its stand-in: what goes there, what never does, and each refusal in one line."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest
from hub_stand_in import TOKEN, Hub, hub_stand_in
from tiny_models import tiny_policy

from backsight.errors import BacksightError
from backsight.policies.config import AdapterConfig
from backsight.policies.opening import open_policy
from backsight.reports.loading_code import Loading
from backsight.reports.model_card import ModelCard, render
from backsight.runs.publish import prepare, publish

CARD = ModelCard("mine", Loading("causal_lm", False, False), "toy", {}, [], "unknown")
FILES = {"README.md", "config.json", "generation_config.json", "model.safetensors"}
FILES |= {"tokenizer.json", "tokenizer_config.json"}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with hub_stand_in() as hub:
        for name, value in {"ENDPOINT": hub.address, "HF_HUB_OFFLINE": False, "HF_HUB_DISABLE_XET": True}.items():
            monkeypatch.setattr(huggingface_hub.constants, name, value)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        huggingface_hub.close_session()
        yield hub
    huggingface_hub.close_session()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    tiny_policy().save(folder / "policy")
    (folder / "config.yaml").write_text(f"policy: {tmp_path}\ndata: {tmp_path}/rows.jsonl\n")
    (folder / "trajectories.jsonl").write_text("{}\n")
    (folder / "policy" / "README.md").write_text(render(CARD))
    (folder / "policy" / "rows.jsonl").write_text("{}\n")
    (folder / "policy" / ".env").write_text("TOKEN=1\n")
    return folder


def upload(
    run: Path, repo: str = "me/mine", *, revision: str | None = None, private: bool = False, merge: bool = False
) -> str:
    with prepare(str(run), repo, revision=revision, private=private, merge=merge) as prepared:
        return publish(prepared)


def test_the_policy_and_nothing_else_lies_on_the_hub(hub: Hub, run: Path) -> None:
    assert upload(run) == f"{hub.address}/me/mine"
    assert set(hub.files) == {f"me/mine/main/{name}" for name in FILES}
    for name in FILES - {"README.md"}:
        assert hub.files[f"me/mine/main/{name}"] == (run / "policy" / name).read_bytes()
    assert b'MODEL = "me/mine"' in hub.files["me/mine/main/README.md"]
    assert hub.repos == {"me/mine": False}


def test_a_second_upload_goes_to_the_same_place(hub: Hub, run: Path) -> None:
    upload(run)
    assert upload(run, revision="better") == f"{hub.address}/me/mine/tree/better"
    assert hub.branches == {"better"} and "me/mine/better/model.safetensors" in hub.files


def test_a_name_alone_is_one_of_the_users_own(hub: Hub, run: Path) -> None:
    assert upload(run, "mine", private=True) == f"{hub.address}/me/mine"
    assert hub.repos == {"me/mine": True} and b'MODEL = "me/mine"' in hub.files["me/mine/main/README.md"]


def test_what_is_to_be_private_is_not_put_where_everybody_reads(hub: Hub, run: Path) -> None:
    hub.repos["me/mine"] = False
    with pytest.raises(BacksightError, match="private: me/mine: exists and everybody can read it"):
        upload(run, private=True)
    assert hub.files == {}


def test_an_adapter_goes_with_its_base_or_not_at_all(hub: Hub, tmp_path: Path) -> None:
    tiny_policy().save(tmp_path / "base")
    open_policy(str(tmp_path / "base"), adapter=AdapterConfig()).save(tmp_path / "adapter")
    with pytest.raises(BacksightError, match="base_model_name_or_path is a path of this machine; add --merge"):
        upload(tmp_path / "adapter")
    assert hub.asked == []
    upload(tmp_path / "adapter", merge=True)
    assert {Path(name).name for name in hub.files} == FILES - {"README.md"}
    fields = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    (tmp_path / "adapter" / "adapter_config.json").write_text(
        json.dumps({**fields, "base_model_name_or_path": "owner/base"})
    )
    hub.files.clear()
    upload(tmp_path / "adapter")
    assert "me/mine/main/adapter_model.safetensors" in hub.files


@pytest.mark.parametrize(
    ("refusals", "said"),
    [
        ({"repos/create": 401}, "the hub does not know who you are; log in with `hf auth login`, or set HF_TOKEN"),
        ({"repos/create": 403, "models/me/mine": 404}, "your token may not write there"),
        ({"preupload": 404}, "the hub has no such repository or revision"),
        ({"commit": 413}, "a file is too large for the hub"),
        ({"/blobs/": 413}, "a file is too large for the hub"),
        ({"commit": 500}, r"the hub refuses \(.*\); try again later"),
        ({"repos/create": 418}, r"the hub refuses \(no\); nothing was published"),
    ],
)
def test_each_refusal_is_a_line_with_its_remedy(hub: Hub, run: Path, refusals: dict[str, int], said: str) -> None:
    hub.refusals.update(refusals)
    with pytest.raises(BacksightError, match=f"^hub: me/mine: {said}") as error:
        upload(run)
    assert "\n" not in str(error.value) and hub.files == {}


def test_without_a_token_nobody_is_asked(hub: Hub, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(BacksightError, match="there is no token; log in"):
        upload(run)
    assert hub.asked == []


def test_a_hub_that_does_not_answer_is_said(hub: Hub, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(BacksightError, match=r"cannot be reached \(.*\); look at your network"):
        upload(run)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    huggingface_hub.close_session()
    with pytest.raises(BacksightError, match="HF_HUB_OFFLINE is set"):
        upload(run)


def test_a_full_disk_is_said_before_anybody_is_asked(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    tiny_policy().save(tmp_path / "base")
    open_policy(str(tmp_path / "base"), adapter=AdapterConfig()).save(tmp_path / "adapter")
    monkeypatch.setattr("backsight.runs.publish.save_whole", full)
    with pytest.raises(BacksightError, match="No space left on device.*; nothing was published; make room"):
        upload(tmp_path / "adapter", merge=True)
    assert hub.asked == []


@pytest.mark.parametrize("repo", ["a/b/c", "me/my model", "", "me/-x", "../up"])
def test_a_name_that_no_repository_can_have(run: Path, repo: str) -> None:
    with pytest.raises(BacksightError, match="repo: .*: write it as OWNER/NAME"):
        upload(run, repo)


def test_a_path_in_a_configuration_stays_at_home(hub: Hub, run: Path) -> None:
    config = run / "policy" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "_name_or_path": "/home/me/base"}))
    with pytest.raises(BacksightError, match="_name_or_path is a path of this machine; take it out"):
        upload(run)


def test_the_command_takes_the_hub_from_the_environment(hub: Hub, run: Path) -> None:
    own = {"HF_ENDPOINT": hub.address, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": TOKEN}
    command = [sys.executable, "-m", "backsight", "publish", str(run), "me/mine"]
    done = subprocess.run(command, env={**os.environ, **own}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"published: {hub.address}/me/mine"
    assert "model.safetensors  130 kB" in done.stdout and "no part of a model: rows.jsonl" in done.stdout
    assert set(hub.files) == {f"me/mine/main/{name}" for name in FILES}
