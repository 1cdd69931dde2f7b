"""A policy in a folder of its own: copied as it is, or with its adapter in the weights; nothing is overwritten."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_models import tiny_classifier, tiny_policy
from toy_tasks import WORDS
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from backsight.config import dump_config
from backsight.errors import BacksightError
from backsight.policies.base import trained_weights
from backsight.policies.config import AdapterConfig
from backsight.policies.opening import open_policy
from backsight.policies.text import TextPolicy
from backsight.presets.base import find_preset
from backsight.reports.loading_code import Loading
from backsight.reports.model_card import ModelCard, render
from backsight.runs.export import export, find_source

LABELS = ("negative", "neutral", "positive")
CARD = ModelCard("mine", Loading("causal_lm", True, False), "toy", {}, [], "unknown", base_model="owner/base")
TEMPLATE = "{% for each in messages %}{{ each['content'] }}{% endfor %}"


def fill(policy: TextPolicy) -> TextPolicy:
    """Give a fresh adapter weights that change what the model says."""
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in trained_weights(policy.module).values():
            weight.add_(torch.randn_like(weight) * 0.1)
    return policy


def make_run(folder: Path, policy: TextPolicy, preset: str = "sentiment", **settings: object) -> str:
    """A run folder, as far as an export looks at it."""
    folder.mkdir()
    (folder / "config.yaml").write_text(dump_config(find_preset(preset, settings).configure(settings)))
    (folder / "trajectories.jsonl").write_text("{}\n")
    policy.save(folder / "policy")
    (folder / "policy" / "README.md").write_text(render(CARD))
    return str(folder)


@pytest.fixture
def adapted(tmp_path: Path) -> str:
    base = tiny_policy(words=WORDS)
    base.tokenizer.chat_template = TEMPLATE
    base.save(tmp_path / "base")
    return make_run(tmp_path / "mine", fill(open_policy(str(tmp_path / "base"), adapter=AdapterConfig())))


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=torch.arange(2, 8)[None]).logits
    return found


def test_it_is_copied_as_it_is(tmp_path: Path, adapted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine" / "policy" / "rows.jsonl").touch()
    (tmp_path / "mine" / "policy" / ".cache").touch()
    written = export(adapted)
    assert written == Path("exports") / "mine"
    names = {path.name for path in written.iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json", "README.md"} <= names
    assert not names & {"rows.jsonl", ".cache", "trajectories.jsonl", "config.yaml"}
    for name in names:
        assert (written / name).read_bytes() == (tmp_path / "mine" / "policy" / name).read_bytes()


def test_a_merged_adapter_is_a_usual_model_that_says_the_same(tmp_path: Path, adapted: str) -> None:
    expected = logits(open_policy(f"{adapted}/policy").model)
    base = logits(open_policy(str(tmp_path / "base")).model)
    written = export(adapted, tmp_path / "whole", merge=True)
    assert not (written / "adapter_config.json").exists()
    model = AutoModelForCausalLM.from_pretrained(written)
    assert model.dtype == torch.float32
    torch.testing.assert_close(logits(model), expected, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(base, expected, atol=0.1)
    assert AutoTokenizer.from_pretrained(written).chat_template == TEMPLATE
    text = (written / "README.md").read_text()
    assert "library_name: transformers" in text and "peft" not in text and "base_model: owner/base" in text


def test_weights_are_written_in_the_numbers_that_are_asked_for(tmp_path: Path, adapted: str) -> None:
    written = export(adapted, tmp_path / "small", merge=True, dtype="bfloat16")
    assert {each.dtype for each in load_file(written / "model.safetensors").values()} == {torch.bfloat16}
    assert json.loads((written / "config.json").read_text())["dtype"] == "bfloat16"


def test_a_whole_policy_has_nothing_to_merge(tmp_path: Path) -> None:
    run = make_run(tmp_path / "mine", tiny_policy())
    written = export(run, tmp_path / "copy", merge=True)
    weights = "model.safetensors"
    assert (written / weights).read_bytes() == (tmp_path / "mine" / "policy" / weights).read_bytes()
    small = export(str(written), tmp_path / "small", merge=True, dtype="bfloat16")
    assert (small / weights).stat().st_size < 0.6 * (written / weights).stat().st_size


def test_a_classifier_keeps_its_labels(tmp_path: Path) -> None:
    tiny_classifier(LABELS).save(tmp_path / "head")
    small = export(str(tmp_path / "head"), tmp_path / "small", merge=True, dtype="bfloat16")
    assert AutoModelForSequenceClassification.from_pretrained(small).config.id2label == dict(enumerate(LABELS))


def test_the_labels_of_an_adapter_are_those_of_its_run(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"text": f"t{n}", "label": LABELS[n % 3]}) + "\n" for n in range(60)))
    bare = tiny_classifier(LABELS)
    bare.model.base_model.save_pretrained(tmp_path / "base")
    bare.tokenizer.save_pretrained(tmp_path / "base")
    policy = fill(open_policy(str(tmp_path / "base"), labels=LABELS, adapter=AdapterConfig()))
    run = make_run(tmp_path / "mine", policy, data=str(rows))
    whole = AutoModelForSequenceClassification.from_pretrained(export(run, tmp_path / "whole", merge=True))
    torch.testing.assert_close(logits(whole), logits(policy.model), rtol=1e-3, atol=1e-3)
    with pytest.raises(BacksightError, match="its labels are known to its run alone; name the run folder"):
        export(f"{run}/policy", tmp_path / "other", merge=True)
    assert not (tmp_path / "other").exists()


def no_policy(run: Path) -> Path:
    (run / "policy").rename(run / "elsewhere")
    return run


def checkpoint(run: Path) -> Path:
    (run / "policy" / "progress.json").write_text("{}")
    return run / "policy"


def pointing_out(run: Path) -> Path:
    (run / "policy" / "notes.txt").symlink_to(run / "config.yaml")
    return run


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda run: run / "nowhere", "there is no such folder; name a run folder"),
        (no_policy, "has no policy/ yet: it is saved when the run ends"),
        (lambda run: run.parent, "is neither a run folder"),
        (checkpoint, "is a checkpoint, with the state of the training; name the run folder"),
    ],
)
def test_what_holds_no_policy_is_named(tmp_path: Path, adapted: str, spoil: Callable[[Path], Path], said: str) -> None:
    with pytest.raises(BacksightError, match=said):
        find_source(str(spoil(Path(adapted))))


def test_a_link_does_not_take_along_what_lies_elsewhere(tmp_path: Path, adapted: str) -> None:
    with pytest.raises(BacksightError, match=r"notes\.txt: leads out of the folder"):
        export(str(pointing_out(Path(adapted))), tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("merge", [False, True])
def test_nothing_is_overwritten(tmp_path: Path, adapted: str, merge: bool) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(BacksightError, match="there: exists and is left as it is"):
        export(adapted, tmp_path / "there", merge=merge)
    with pytest.raises(BacksightError, match="lies in the folder that is exported"):
        export(adapted, Path(adapted) / "policy" / "copy", merge=merge)
    assert list((tmp_path / "there").iterdir()) == []


def test_numbers_are_changed_in_a_merged_model_alone(tmp_path: Path, adapted: str) -> None:
    with pytest.raises(BacksightError, match="dtype: bfloat16: files are copied as they are; add --merge"):
        export(adapted, tmp_path / "copy", dtype="bfloat16")


def test_a_quantized_base_is_refused(tmp_path: Path, adapted: str) -> None:
    config = tmp_path / "base" / "config.json"
    fields = {**json.loads(config.read_text()), "quantization_config": {"quant_method": "bitsandbytes"}}
    config.write_text(json.dumps(fields))
    with pytest.raises(BacksightError, match="is quantized and takes up no adapter"):
        export(adapted, tmp_path / "whole", merge=True)


@pytest.mark.parametrize("merge", [False, True])
def test_a_full_disk_leaves_nothing_behind(
    tmp_path: Path, adapted: str, monkeypatch: pytest.MonkeyPatch, merge: bool
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    monkeypatch.setattr("backsight.runs.export.save_whole", full)
    with pytest.raises(BacksightError, match="No space left on device.*; nothing is left of it"):
        export(adapted, tmp_path / "out" / "copy", merge=merge)
    assert list((tmp_path / "out").iterdir()) == []
