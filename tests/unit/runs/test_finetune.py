"""From a model folder and rows to a run folder, in Python and on the command line."""

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy
import pytest
from tiny_models import tiny_policy
from toy_tasks import WORDS, GoalString
from transformers import AutoModelForCausalLM

import backsight
from backsight.cli.main import main
from backsight.environments.episodes import EpisodesTask
from backsight.errors import BacksightError, ConfigError, RewardError, RunFolderError
from backsight.policies.opening import open_policy
from backsight.reports.lock import only_writer
from backsight.reports.run_folder import Recorder
from backsight.reports.trackers import base
from backsight.tasks.rows import RowsTask

SMALL: dict[str, Any] = {
    "learning_rate": 1e-3,
    "prompts_per_step": 2,
    "num_generations": 2,
    "max_completion_length": 3,
    "eval_items": 4,
    "show_progress": False,
}


@pytest.fixture
def model(tmp_path: Path) -> str:
    folder = tmp_path / "model"
    tiny_policy(words=(*WORDS, "positive", "negative")).save(folder)
    return str(folder)


@pytest.fixture
def rows(tmp_path: Path) -> str:
    path = tmp_path / "rows.jsonl"
    labels = ("positive", "negative")
    path.write_text(
        "".join(json.dumps({"text": f"text {number}", "label": labels[number % 2]}) + "\n" for number in range(60))
    )
    return str(path)


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["backsight", *arguments])
    with pytest.raises(SystemExit) as ending:
        main()
    return int(ending.value.code or 0)


def overrides(rows: str, model: str, tmp_path: Path, **settings: object) -> list[str]:
    fixed = {**SMALL, "data": rows, "policy": model, "output_dir": tmp_path / "runs", "stop.max_steps": 2, **settings}
    return [f"{key}={value}" for key, value in fixed.items() if key != "show_progress"]


def test_a_run_leaves_a_model_that_loads(tmp_path: Path, model: str) -> None:
    result = backsight.finetune(
        model, GoalString(1), hindsight="relabel", stop={"max_steps": 2}, output_dir=str(tmp_path / "runs"), **SMALL
    )
    assert result.stop_reason == "max_steps=2 reached"
    assert {path.name for path in result.folder.iterdir()} - {"messages.jsonl", "traces"} == {
        "config.yaml",
        "metrics.jsonl",
        "trajectories.jsonl",
        "evaluations.jsonl",
        "answers",
        "checkpoints",
        "policy",
    }
    assert open_policy(str(result.folder / "policy")).encode(" red") == result.policy.encode(" red")
    assert set(result.before) == set(result.after) == {"test"}


def test_a_tracker_that_is_not_installed_is_refused_before_anything_is_made(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "PACKAGES", {"wandb": "nothing_of_that_name"})
    settings = {**SMALL, "stop": {"max_steps": 1}, "output_dir": str(tmp_path / "runs")}
    with pytest.raises(ConfigError, match="report_to: wandb: is not installed"):
        backsight.finetune(model, GoalString(1), report_to="wandb", **settings)
    with pytest.raises(ConfigError, match="report_to: .*tensorbord.* did you mean 'tensorboard'"):
        backsight.finetune(model, GoalString(1), report_to=["tensorbord"], **settings)
    assert not (tmp_path / "runs").exists()


def test_reward_functions_replace_the_judge(tmp_path: Path, model: str) -> None:
    seen: dict[str, Any] = {}

    def length(prompts: list[str], completions: list[str], completion_ids: list[Any], **columns: Any) -> list[float]:
        seen.update(prompts=prompts, columns=columns)
        return [float(len(tokens)) for tokens in completion_ids]

    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"p{number}", "hint": number}) + "\n" for number in range(40)))
    result = backsight.finetune(
        model, RowsTask(str(path)), reward_funcs=length, stop={"max_steps": 1}, output_dir=str(tmp_path / "r"), **SMALL
    )
    assert result.after["test"].reward.mean > 0
    assert "hint" in seen["columns"]


@pytest.mark.parametrize(
    ("method", "record", "loss"),
    [
        ("relabel", {"success": False, "achieved_prompt": " red"}, "loss/imitation"),
        ("self_distill", {"success": False, "text": "say blue"}, "loss/distillation"),
        ("self_distill", {"success": False, "correction": " blue"}, "loss/distillation"),
    ],
)
@pytest.mark.parametrize("workers", [0, 1])
def test_records_of_a_function_are_learnt_from(
    tmp_path: Path, model: str, method: str, record: dict[str, Any], loss: str, workers: int
) -> None:
    def judge(completions: list[str]) -> list[dict[str, Any]]:
        return [{"reward": 0.0, **record} for _ in completions]

    rows = [{"prompt": f" {word}"} for word in WORDS]
    result = backsight.finetune(
        model,
        {"train": rows, "test": rows},
        reward_funcs=judge,
        hindsight=method,
        teacher={"check_steps": 0},
        stop={"max_steps": 1},
        output_dir=str(tmp_path / "r"),
        reward_workers=workers,
        **{**SMALL, "num_generations": 16, "max_completion_length": 12},
    )
    (row,) = [json.loads(line) for line in (result.folder / "metrics.jsonl").read_text().splitlines()]
    assert row[loss] > 0


def test_a_reward_function_with_too_few_results_is_named(tmp_path: Path, model: str) -> None:
    def broken(completions: list[str], **columns: Any) -> list[float]:
        return [1.0]

    with pytest.raises(RewardError, match="broken"):
        backsight.finetune(
            model, GoalString(1), reward_funcs=broken, stop={"max_steps": 1}, output_dir=str(tmp_path / "r"), **SMALL
        )


@pytest.mark.parametrize("max_staleness", [0, 2])
def test_reward_functions_are_asked_in_the_thread_of_the_run_and_know_its_step(
    tmp_path: Path, model: str, max_staleness: int
) -> None:
    seen = []

    def asks(completions: list[str], trainer_state: Any) -> list[float]:
        seen.append((threading.current_thread(), trainer_state.global_step, trainer_state.max_steps))
        signal.signal(signal.SIGALRM, signal.signal(signal.SIGALRM, signal.SIG_IGN))  # as functions with timers do
        return [float(len(completion)) for completion in completions]

    backsight.finetune(
        model,
        GoalString(1),
        reward_funcs=asks,
        stop={"max_steps": 2},
        output_dir=str(tmp_path / "r"),
        max_staleness=max_staleness,
        loss_type="tis",
        **SMALL,
    )
    assert [step for _, step, _ in seen] == [0, 0, 1, 2]  # two of them evaluations
    assert {(thread, end) for thread, _, end in seen} == {(threading.main_thread(), 2)}


def test_what_nobody_scores_is_said_and_not_learnt_from(tmp_path: Path, model: str) -> None:
    calls = []

    def silent(completions: list[str], **columns: Any) -> list[float | None]:
        calls.append(len(completions))
        return [1.0 if len(calls) == 1 else None for _ in completions]

    def train() -> Any:
        folder = str(tmp_path / "r")
        return backsight.finetune(
            model, GoalString(1), reward_funcs=silent, stop={"max_steps": 1}, output_dir=folder, run_name="a", **SMALL
        )

    with pytest.raises(RewardError, match="nobody scored any of 4 items"):  # in the evaluation at the end
        train()
    folder = tmp_path / "r" / "a"
    assert "nobody scored 4 of 4 attempts" in (folder / "messages.jsonl").read_text()
    rows = [json.loads(line) for line in (folder / "trajectories.jsonl").read_text().splitlines()]
    assert [(row["rewards"], row["reward"], row["advantage"]) for row in rows] == [({}, None, 0.0)] * 4


class Hangs:
    """An environment that gives no answer at one place."""

    def __init__(self, place: str) -> None:
        self.place = place

    def reset(self, *, seed: int) -> tuple[str, dict[str, Any]]:
        return self.answer("reset", ("go:", {}))

    def step(self, action: str) -> tuple[Any, ...]:
        return self.answer("step", ("on:", 1.0, True, False, {}))

    def close(self) -> None:
        self.answer("close", None)

    def answer(self, place: str, answer: Any) -> Any:
        if place == self.place:
            time.sleep(60)
        return answer


@pytest.mark.parametrize("place", ["reset", "step", "close"])
def test_an_environment_that_hangs_is_named_in_time(tmp_path: Path, model: str, place: str) -> None:
    settings = {**SMALL, "stop": {"max_steps": 1}, "output_dir": str(tmp_path / "r"), "reward_timeout": 0.2}
    with pytest.raises(RewardError, match=rf"^env\.{place}.*: hangs: gave no answer in 0.2 s"):
        backsight.finetune(model, EpisodesTask(lambda: Hangs(place)), **settings)


def test_a_reward_function_that_hangs_keeps_no_process_alive(tmp_path: Path, model: str) -> None:
    code = f"""
import asyncio, sys, time
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
import backsight
from toy_tasks import GoalString
async def stuck(completions, **columns):
    await asyncio.to_thread(time.sleep, 600)
backsight.finetune({model!r}, GoalString(1), reward_funcs=stuck, reward_timeout=0.2, stop=dict(max_steps=1),
    max_completion_length=3, output_dir={str(tmp_path)!r}, show_progress=False)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=200)
    assert ran.returncode == 1
    assert "RewardError: reward function 'stuck': hangs: gave no answer in 0.2 s" in ran.stderr.splitlines()[-1]


def test_a_disk_that_fails_ends_the_run(tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are written in the background; what goes wrong there is not lost."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Recorder, "add_metrics", full)
    with pytest.raises(OSError, match="No space left"):
        backsight.finetune(model, GoalString(1), stop={"max_steps": 3}, output_dir=str(tmp_path / "runs"), **SMALL)


def test_every_step_is_on_disk_in_order(tmp_path: Path, model: str) -> None:
    result = backsight.finetune(model, GoalString(1), stop={"max_steps": 5}, output_dir=str(tmp_path / "runs"), **SMALL)
    lines = (result.folder / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4, 5]
    assert {"step_time", "time/decode", "memory/peak_gib"} <= set(json.loads(lines[0]))


@pytest.mark.parametrize("way", [{}, {"max_staleness": 1, "loss_type": "tis", "bf16": True}])
def test_resume_goes_on_where_a_straight_run_would_be(
    way: dict[str, object], tmp_path: Path, model: str, rows: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = overrides(rows, model, tmp_path, run_name="straight", **{"stop.max_steps": 4}, **way)
    halves = overrides(rows, model, tmp_path, run_name="halves", **way)
    runs = tmp_path / "runs"
    assert run_main(monkeypatch, "train", "sentiment", *straight) == 0
    assert run_main(monkeypatch, "train", "sentiment", *halves) == 0
    assert run_main(monkeypatch, "train", "--resume", str(runs / "halves"), "stop.max_steps=4") == 0
    weights = [(runs / name / "policy" / "model.safetensors").read_bytes() for name in ("straight", "halves")]
    assert weights[0] == weights[1]
    metrics = [(runs / name / "trajectories.jsonl").read_text() for name in ("straight", "halves")]
    assert metrics[0] == metrics[1]


def test_supervised_then_reinforcement_on_one_folder(
    tmp_path: Path, model: str, rows: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    warm = overrides(rows, model, tmp_path, hindsight="supervised", run_name="warm")
    assert run_main(monkeypatch, "train", "sentiment", *warm) == 0
    tuned = overrides(rows, str(tmp_path / "runs" / "warm"), tmp_path, run_name="tuned")
    assert run_main(monkeypatch, "train", "sentiment", *tuned) == 0


def test_an_adapter_from_the_command_line_and_back(
    tmp_path: Path, model: str, rows: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trained, resumed, evaluated, trained further, merged: each from what the one before has left."""
    runs, resumed = tmp_path / "runs", ("train", "--resume", str(tmp_path / "runs" / "lora"), "stop.max_steps=3")
    lora = overrides(rows, model, tmp_path, adapter="lora", **{"adapter.r": 2}, run_name="lora")
    assert run_main(monkeypatch, "train", "sentiment", *lora) == 0
    assert run_main(monkeypatch, *resumed) == 0
    for folder in (runs / "lora" / "policy", runs / "lora" / "checkpoints" / "step-000003"):
        assert (folder / "adapter_model.safetensors").is_file() and not (folder / "model.safetensors").exists()
        assert json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"] == model
    further = overrides(rows, str(runs / "lora"), tmp_path, run_name="further")
    assert run_main(monkeypatch, "evaluate", "sentiment", *further) == 0
    assert run_main(monkeypatch, "train", "sentiment", *further) == 0
    assert (runs / "further" / "policy" / "adapter_model.safetensors").is_file()
    options = {"adapter": "lora", "adapter.r": 2, "adapter.merge": "true", "run_name": "merged"}
    merged = overrides(rows, str(runs / "further"), tmp_path, **options)
    assert run_main(monkeypatch, "train", "sentiment", *merged) == 0
    names = {path.name for path in (runs / "merged" / "policy").iterdir()}
    assert {"config.json", "model.safetensors"} <= names and "adapter_config.json" not in names
    AutoModelForCausalLM.from_pretrained(runs / "merged" / "policy")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"data": "missing.jsonl"}, "missing.jsonl"),
        ({"policy": "."}, "config.json"),
        ({"policy": "./nowhere"}, "no such folder"),
        ({"num_generations": 1}, "num_generations: 1"),
        ({"max_completion_length": 100000}, "max_completion_length"),
        ({"learning_rte": 1}, "learning_rate"),
        ({"hindsight": "relable"}, "relabel"),
        ({"adapter": "lore"}, "adapter.name: lore: did you mean 'lora'?"),
        ({"adapter.target_modules": "q_prj"}, "adapter.target_modules: q_prj: no such layer; did you mean 'q_proj'?"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    change: dict[str, Any],
    complaint: str,
    tmp_path: Path,
    model: str,
    rows: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = overrides(rows, model, tmp_path, **change)
    assert run_main(monkeypatch, "train", "sentiment", *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and complaint in error
    assert not (tmp_path / "runs").exists()


def test_an_unknown_preset_is_named(model: str) -> None:
    with pytest.raises(ConfigError, match="instructions"):
        backsight.finetune(model, "instruction")


def test_a_run_folder_is_never_reused(tmp_path: Path, model: str) -> None:
    named = {**SMALL, "run_name": "mine", "output_dir": str(tmp_path), "stop": {"max_steps": 1}}
    first = backsight.finetune(model, GoalString(1), **named)
    before = (first.folder / "metrics.jsonl").read_bytes()
    with pytest.raises(RunFolderError, match="taken"):
        backsight.finetune(model, GoalString(1), **named)
    assert (first.folder / "metrics.jsonl").read_bytes() == before


def write_prompts(folder: Path) -> str:
    path = folder / "prompts.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"p{number}"}) + "\n" for number in range(40)))
    return str(path)


def test_rows_that_nobody_can_judge_are_refused(tmp_path: Path, model: str) -> None:
    with pytest.raises(RewardError, match="give gold answers or reward functions"):
        backsight.finetune(
            model,
            RowsTask(write_prompts(tmp_path)),
            hindsight="outcome",
            stop={"max_steps": 1},
            output_dir=str(tmp_path / "runs"),
            **SMALL,
        )


@pytest.fixture
def begun(tmp_path: Path, model: str, rows: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run of two steps, with a checkpoint at each."""
    words = overrides(rows, model, tmp_path, run_name="run", save_steps=1, hindsight="outcome")
    assert run_main(monkeypatch, "train", "sentiment", *words) == 0
    return tmp_path / "runs" / "run"


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def resume_run(folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    return run_main(monkeypatch, "train", "--resume", str(folder), *words)


def test_a_finished_run_says_so_and_stays_as_it_is(
    begun: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(begun)
    assert resume_run(begun, monkeypatch) == 0
    assert "stopped: max_steps=2 reached; the run is finished already" in capsys.readouterr().out
    assert files(begun) == before


LOST = {
    "policy": [],
    "the message as well": ["messages.jsonl"],
    "an evaluation as well": ["messages.jsonl", "evaluations.jsonl"],
}
"""Files whose last line a run that was killed at its end had not written yet, besides the policy."""


@pytest.mark.parametrize("lost", LOST)
def test_a_run_that_was_killed_at_its_end_is_finished(begun: Path, monkeypatch: pytest.MonkeyPatch, lost: str) -> None:
    before = files(begun)
    shutil.rmtree(begun / "policy")
    for name in LOST[lost]:
        lines = (begun / name).read_text().splitlines(keepends=True)
        (begun / name).write_text("".join(lines[:-1]))
    assert resume_run(begun, monkeypatch) == 0
    after = files(begun)
    assert after == before


def test_a_run_without_a_checkpoint_starts_anew(begun: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = files(begun)
    for name in ("checkpoints", "policy"):
        shutil.rmtree(begun / name)
    (begun / "checkpoints" / ".step-000001.partial").mkdir(parents=True)
    assert resume_run(begun, monkeypatch) == 0
    after = files(begun)
    assert after.keys() == before.keys()
    assert after["policy/model.safetensors"] == before["policy/model.safetensors"]
    assert after["evaluations.jsonl"] == before["evaluations.jsonl"]


def test_an_edited_setting_is_refused(
    begun: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = begun / "config.yaml"
    config.write_text(config.read_text().replace("\nlearning_rate: 0.001", "\nlearning_rate: 0.1"))
    before = files(begun)
    assert resume_run(begun, monkeypatch, "stop.max_steps=3") == 2
    assert "error: learning_rate: 0.1: was 0.001 until now" in capsys.readouterr().err
    assert files(begun) == before


@pytest.mark.parametrize("what", ["data", "model"])
def test_a_changed_file_is_said(
    begun: Path,
    rows: str,
    model: str,
    what: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = Path(rows if what == "data" else f"{model}/config.json")
    path.write_text(path.read_text().rstrip("\n"))
    assert resume_run(begun, monkeypatch, "stop.max_steps=3") == 0
    said = f"changed since step-000002 was saved: {what} {rows if what == 'data' else model}"
    assert f"note: {said}" in " ".join(capsys.readouterr().out.split("\n"))
    messages = [json.loads(line) for line in (begun / "messages.jsonl").read_text().splitlines()]
    assert {"step": 2, "message": said} in messages
    assert resume_run(begun, monkeypatch, "stop.max_steps=4") == 0
    assert "note: " not in capsys.readouterr().out, "it was said, and the run went on with it"


@pytest.mark.parametrize("name", ["policy", "checkpoints", "trajectories.jsonl"])
def test_something_else_in_the_place_of_a_part_is_named(
    begun: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if name.endswith("jsonl"):
        (begun / name).unlink()
        (begun / name).mkdir()
    else:
        shutil.rmtree(begun / name)
        (begun / name).write_text("")
    assert resume_run(begun, monkeypatch, "stop.max_steps=3") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and name in error and "move it away" in error


def test_a_run_that_another_process_writes_is_left_alone(
    begun: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with only_writer(begun):
        before = files(begun)
        assert resume_run(begun, monkeypatch, "stop.max_steps=3") == 2
        assert "is writing to it" in capsys.readouterr().err
        assert files(begun) == before


def test_a_folder_that_vanishes_is_said(tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Recorder.add_metrics

    def vanish(self: Recorder, step: int, values: Any) -> None:
        write(self, step, values)
        shutil.rmtree(self.folder)

    monkeypatch.setattr(Recorder, "add_metrics", vanish)
    with pytest.raises(RunFolderError, match="is gone"):
        backsight.finetune(model, GoalString(1), stop={"max_steps": 3}, output_dir=str(tmp_path / "runs"), **SMALL)
    assert list((tmp_path / "runs").iterdir()) == []


def test_an_evaluation_that_is_interrupted_can_go_on(
    tmp_path: Path, model: str, rows: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(self: Recorder, *_: object) -> None:
        signal.raise_signal(signal.SIGTERM)

    words = overrides(rows, model, tmp_path, run_name="run", hindsight="outcome")
    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "add_evaluation", interrupt)
        assert run_main(patch, "train", "sentiment", *words) == 130
    assert f"go on with: backsight train --resume {tmp_path / 'runs' / 'run'}" in capsys.readouterr().out
    assert resume_run(tmp_path / "runs" / "run", monkeypatch) == 0


def test_paths_may_be_objects(tmp_path: Path, model: str) -> None:
    folder = tmp_path / "my #1 dätä"
    folder.mkdir()
    path = folder / "rows #2.jsonl"
    rows = [{"source": f"s{number}", "target": "red"} for number in range(6)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = {**SMALL, "stop": {"max_steps": 1}, "eval_items": numpy.int64(2)}
    result = backsight.finetune(
        Path(model), "translation", data=path, eval_data=path, output_dir=folder / "runs", **settings
    )
    assert result.folder.parent == folder / "runs"
    found = backsight.evaluate(
        result.folder,
        backsight.RowsTask(write_answers(folder / "answers.jsonl"), test=folder / "answers.jsonl"),
        against=Path(model),
        eval_items=2,
        max_completion_length=2,
    )
    assert found.paths == {"policy": str(result.folder), "against": model}


def write_answers(path: Path) -> Path:
    path.write_text("".join(json.dumps({"prompt": f"p{number}", "target": 1.0}) + "\n" for number in range(6)))
    return path


@pytest.mark.parametrize(
    ("policy", "task", "words"),
    [
        (7, "translation", "policy: int: give the path"),
        ("m", 7, "data: 7: give a path, a hub id, a list of dictionaries"),
    ],
)
def test_what_is_neither_a_policy_nor_a_task_is_named(policy: Any, task: Any, words: str) -> None:
    with pytest.raises(BacksightError, match=words):
        backsight.finetune(policy, task)


def test_a_task_without_an_evaluation_split_is_trained_and_not_evaluated(model: str, tmp_path: Path) -> None:
    task = GoalString(1)
    task.eval_splits = ()
    settings = {**SMALL, "stop": {"max_steps": 1}, "output_dir": str(tmp_path)}
    result = backsight.finetune(model, task, **settings)
    assert result.progress.step == 1 and result.before == result.after == {}
    assert backsight.finetune(model, task, eval_steps=1, **settings).after == {}
    with pytest.raises(
        ConfigError, match="^keep_best: True: task 'goal_string' has no split to evaluate; leave it out"
    ):
        backsight.finetune(model, task, eval_steps=1, keep_best=True, **settings)
