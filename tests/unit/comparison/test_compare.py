"""Several methods on a toy task: the same budget, one folder, nothing done twice, and what goes wrong on the way."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_models import tiny_policy
from toy_tasks import WORDS, GoalString

import backsight
from backsight.comparison.results import ComparisonResult
from backsight.errors import BacksightError, RunFolderError
from backsight.runs.finetune import Result, train
from backsight.runs.start import RunParts
from backsight.training.trainer import Trainer
from backsight.types import Feedback, Trajectory


class Toy(GoalString):
    """With other items that nobody trains on."""

    name = "toy"
    eval_splits = ("test", "ood")

    def __init__(self) -> None:
        super().__init__(1)


def letters(trajectories: Any, seed: int) -> list[Feedback]:
    """The longer, the better: siblings differ."""

    def judged(each: Trajectory) -> Feedback:
        length = float(len(each.steps[-1].action.text or ""))
        return Feedback(rewards={"length": length}, reward=length, success=length > 9, sources=("letters",))

    return [judged(each) for each in trajectories]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("models") / "model"
    tiny_policy(words=WORDS).save(folder)
    return str(folder)


def compared(model: str, folder: Path, methods: list[Any], **change: Any) -> ComparisonResult:
    settings: dict[str, Any] = {
        "seeds": 2,
        "stop": {"max_attempts": 8},
        "output_dir": str(folder),
        "run_name": "mine",
        "learning_rate": 1e-2,
        "prompts_per_step": 2,
        "num_generations": 2,
        "max_completion_length": 3,
        "eval_items": 4,
        "show_progress": False,
        "feedback": letters,
    }
    return backsight.compare(model, Toy(), methods, **{**settings, **change})


@pytest.fixture(scope="module")
def finished(model: str, tmp_path_factory: pytest.TempPathFactory) -> ComparisonResult:
    general = tmp_path_factory.mktemp("text") / "general.txt"
    general.write_text("a few words of general text, " * 20)
    folder = tmp_path_factory.mktemp("comparisons")
    return compared(model, folder, ["sft", "outcome", "best_of_n", "hca"], general_text=general)


def test_all_have_the_same_budget(finished: ComparisonResult) -> None:
    costs = {name: each.cost for name, each in finished.methods.items() if each.failure is None}
    counts = {name: (cost["steps"], cost["attempts"], cost["gold_answers"]) for name, cost in costs.items()}
    assert counts == {"supervised": (2, 0, 8), "outcome": (2, 8, 0), "best_of_n": (2, 8, 0)}
    assert costs["outcome"]["tokens"] > 0 and costs["outcome"]["seconds"] > 0
    assert {tuple(each.curves["test"].used) for each in finished.methods.values() if each.curves} == {(0, 4, 8)}


def test_scores_are_compared_with_the_control_in_and_out_of_domain(finished: ComparisonResult) -> None:
    assert (finished.control, finished.splits, finished.seeds) == ("outcome", ["test", "ood", "general text"], [0, 1])
    assert set(finished.before) == {"test", "ood", "general text"}
    outcome, best = finished.methods["outcome"], finished.methods["best_of_n"]
    assert outcome.against_control == {}
    for split, name in (("test", "reward"), ("ood", "length"), ("general text", "log-probability a token")):
        own, against = best.scores[split][name], best.against_control[split][name]
        assert len(own.by_seed) == 2
        assert own.estimate.mean == pytest.approx(sum(own.by_seed) / 2)
        assert against.baseline == pytest.approx(outcome.scores[split][name].estimate.mean)
        assert against.difference.mean == pytest.approx(own.estimate.mean - against.baseline)


def test_a_method_that_fails_has_a_reason_and_the_others_go_on(finished: ComparisonResult) -> None:
    failed = finished.methods["hca"]
    assert failed.failure is not None and failed.failure.startswith("hindsight: hca: needs flat observations")
    assert (failed.scores, failed.cost, failed.curves) == ({}, {}, {})
    row = f"| hca | – | – | – | – | {failed.failure} |".replace("_", "\\_")
    assert row in (finished.folder / "report.md").read_text()


def test_the_folder_holds_everything(finished: ComparisonResult) -> None:
    folder = finished.folder
    assert {path.name for path in folder.iterdir()} == {
        "config.yaml",
        "before.json",
        "runs",
        "results.json",
        "report.md",
        "report.html",
    }
    runs = {path.name for path in (folder / "runs").iterdir() if path.suffix == ".json"}
    assert runs == {f"{name}-{seed}.json" for name in ("supervised", "outcome", "best_of_n") for seed in (0, 1)}
    assert (folder / "runs" / "outcome-1" / "policy" / "model.safetensors").is_file()
    assert json.loads((folder / "results.json").read_text()) == json.loads(json.dumps(finished.as_dict()))
    written = (folder / "report.html").read_text()
    assert "Out of domain: ood" in written and written.count("<polyline") == 6


def test_what_is_finished_is_not_done_again(
    finished: ComparisonResult, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(finished.folder, tmp_path / "mine")
    before = (folder / "results.json").read_text()
    (folder / "results.json").unlink()
    trained: list[str] = []

    def noted(parts: RunParts, **arguments: Any) -> Result:
        trained.append(str(parts.config.run_name))
        return train(parts, **arguments)

    monkeypatch.setattr("backsight.comparison.compare.train", noted)
    again = compared(model, tmp_path, ["sft", "outcome", "best_of_n", "hca"], general_text=_general_text(folder))
    assert trained == ["hca-0"], "the only one that was not finished"
    assert (again.folder / "results.json").read_text() == before


def _general_text(folder: Path) -> Path:
    return Path(yaml.safe_load((folder / "config.yaml").read_text())["general_text"])


@pytest.mark.parametrize(
    ("how", "save_steps", "expected"),
    [("killed", 0, [0, 1, 0, 1]), ("killed", 1, [0, 1, 1]), ("Ctrl-C", 0, [0, 1])],
)
def test_a_run_that_was_cut_off_goes_on(
    how: str, save_steps: int, expected: list[int], model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From its checkpoint where it has one, which Ctrl-C leaves at the end of the step, else from the beginning."""
    settings: dict[str, Any] = {"seeds": 1, "save_steps": save_steps}
    straight = compared(model, tmp_path / "straight", ["best_of_n"], **settings)
    update = Trainer.update
    steps: list[int] = []

    def disturbed(self: Trainer, *given: Any) -> Any:
        steps.append(self.progress.step)
        if how == "killed" and len(steps) == 2:
            raise KeyboardInterrupt
        if how == "Ctrl-C" and len(steps) == 1:
            signal.raise_signal(signal.SIGINT)
        return update(self, *given)

    monkeypatch.setattr(Trainer, "update", disturbed)
    cut = compared(model, tmp_path / "cut", ["best_of_n"], **settings)
    assert cut.interrupted and cut.methods == {} and not (cut.folder / "results.json").exists()
    again = compared(model, tmp_path / "cut", ["best_of_n"], **settings)
    assert steps == expected
    assert not again.interrupted and again.before == straight.before
    own, other = again.methods["best_of_n"], straight.methods["best_of_n"]
    assert (own.scores, own.curves) == (other.scores, other.curves)
    assert {**own.cost, "seconds": 0} == {**other.cost, "seconds": 0}


def test_an_unnamed_comparison_is_numbered(model: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"seeds": 1, "run_name": None, "stop": {"max_attempts": 2}}
    names = [compared(model, tmp_path, ["outcome"], **settings).folder.name for _ in range(2)]
    assert names == ["toy", "toy-2"]


def test_without_figures_of_the_control_there_is_nothing_to_compare_with(model: str, tmp_path: Path) -> None:
    alone = compared(model, tmp_path, ["hca", "relabel"], seeds=1, stop={"max_attempts": 2})
    assert alone.control == "hca" and alone.methods["relabel"].against_control == {}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"seeds": 3}, "holds another comparison, with seeds=2; ask for that"),
        ({"stop": {"max_attempts": 16}}, r"with stop={'max_attempts': 8}"),
        ({"learning_rate": 1e-3}, "with learning_rate=0.01"),
        ({"general_text": None}, "with general_text="),
    ],
)
def test_another_comparison_is_left_alone(
    change: dict[str, Any], complaint: str, finished: ComparisonResult, model: str
) -> None:
    held = {path: path.read_bytes() for path in finished.folder.glob("*.*")}
    same = {"general_text": _general_text(finished.folder), **change}
    with pytest.raises(RunFolderError, match=complaint):
        compared(model, finished.folder.parent, ["sft", "outcome", "best_of_n", "hca"], **same)
    assert {path: path.read_bytes() for path in finished.folder.glob("*.*")} == held


def test_other_methods_are_another_comparison(finished: ComparisonResult, model: str) -> None:
    with pytest.raises(RunFolderError, match="with methods=supervised,outcome,best_of_n,hca;"):
        compared(model, finished.folder.parent, ["outcome"])


def test_a_folder_of_something_else_is_left_alone(model: str, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.yaml").write_text("preset: toy\n")
    with pytest.raises(RunFolderError, match="mine: holds no comparison; choose another name"):
        compared(model, tmp_path, ["outcome"])
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["config.yaml"]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"max_completion_length": 100_000}, "max_completion_length"),
        ({"general_text": Path("nowhere.txt")}, "general_text: nowhere.txt: cannot be read"),
        ({"stop": {"max_attempts": 0}}, "stop.max_attempts: 0: must be"),
        ({"learning_rte": 1}, "learning_rte: 1: unknown; did you mean 'learning_rate'?"),
    ],
)
def test_bad_input_leaves_nothing(change: dict[str, Any], complaint: str, model: str, tmp_path: Path) -> None:
    with pytest.raises(BacksightError, match=complaint):
        compared(model, tmp_path, ["outcome"], **change)
    assert list(tmp_path.iterdir()) == []


def test_functions_and_rows_are_compared_as_they_are_trained(model: str, tmp_path: Path) -> None:
    def judge(completions: list[str]) -> list[dict[str, Any]]:
        return [{"reward": 0.5, "success": False, "achieved_prompt": " red"} for _ in completions]

    rows = [{"prompt": f" {word}"} for word in WORDS]
    result = backsight.compare(
        model,
        {"train": rows, "test": rows},
        ["relabel"],
        reward_funcs=judge,
        seeds=1,
        stop={"max_attempts": 16},
        output_dir=tmp_path,
        prompts_per_step=2,
        num_generations=8,
        max_completion_length=8,
        show_progress=False,
    )
    assert "0.5" in (result.folder / "report.md").read_text()
