"""The commands parse, call and print. What they call is replaced; `tests/` elsewhere runs it in earnest."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from backsight import finetuning
from backsight.cli import arguments, main
from backsight.config import RunConfig, dump_config
from backsight.errors import DataError
from backsight.evaluation.evaluator import Scores
from backsight.evaluation.statistics import Estimate
from backsight.presets import PRESETS

SCORES = {"test": Scores(Estimate(0.25, 0.2, 0.3, 100), {"label": Estimate(0.75, 0.7, 0.8, 100)}, ())}


@dataclass
class Finished:
    """As much of a `finetuning.Result` as the command line looks at."""

    interrupted: bool = False
    folder: Path = Path("runs/toy")
    stop_reason: str = "max_steps=1 reached"
    before: dict[str, Scores] = field(default_factory=lambda: SCORES)
    after: dict[str, Scores] = field(default_factory=lambda: SCORES)


class Spy:
    """Notes what it was called with."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls.append((args, kwargs))
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def backsight(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["backsight", *words])
        with pytest.raises(SystemExit) as ended:
            main.main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


def spy_on(monkeypatch: pytest.MonkeyPatch, name: str, answer: Any) -> Spy:
    spy = Spy(answer)
    monkeypatch.setattr(finetuning, name, spy)
    return spy


def test_train_runs_the_merged_settings(backsight: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spy = spy_on(monkeypatch, "run", Finished())
    (tmp_path / "a.yaml").write_text("seed: 7\nnum_generations: 4\n")
    code, out, _ = backsight("train", "instructions", "num_generations=2", "--config", str(tmp_path / "a.yaml"))
    assert code == 0
    ((config,), keywords) = spy.calls[0]
    assert (config.preset, config.seed, config.num_generations) == ("instructions", 7, 2)
    assert keywords == {"resume": None}
    assert "max_steps=1 reached" in out and "runs/toy" in out
    assert "0.750 (0.700–0.800)" in out


def test_dry_run_prints_yaml_and_runs_nothing(backsight: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spy = spy_on(monkeypatch, "run", Finished())
    monkeypatch.chdir(tmp_path)
    code, out, err = backsight("train", "instructions", "policy=pocket", "hindsight=relabel", "--dry-run")
    assert (code, err, spy.calls, list(tmp_path.iterdir())) == (0, "", [], [])
    settings = yaml.safe_load(out)
    assert settings["hindsight"]["name"] == "relabel"
    assert RunConfig.model_validate(settings).policy == "pocket"


def test_resume_takes_the_settings_of_the_run(backsight: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spy = spy_on(monkeypatch, "run", Finished())
    config = PRESETS["instructions"].config
    (tmp_path / "config.yaml").write_text(dump_config(config))
    code, _, _ = backsight("train", "--resume", str(tmp_path), "stop.max_steps=77")
    assert code == 0
    ((resumed,), keywords) = spy.calls[0]
    assert resumed.stop.max_steps == 77
    assert resumed.learning_rate == config.learning_rate
    assert keywords == {"resume": tmp_path}


def test_an_interrupted_run_says_how_to_go_on(backsight: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    spy_on(monkeypatch, "run", Finished(interrupted=True))
    code, out, _ = backsight("train", "instructions")
    assert code == 130
    assert "backsight train --resume runs/toy" in out


def test_ctrl_c_elsewhere_is_130_without_a_traceback(backsight: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    spy_on(monkeypatch, "run", KeyboardInterrupt())
    code, _, err = backsight("train", "instructions")
    assert code == 130
    assert "Traceback" not in err


def test_check_prints_what_it_found(backsight: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    spy_on(monkeypatch, "check_config", [("gold answers", "200 of 200"), ("log-probabilities", "agree to 1e-6")])
    code, out, _ = backsight("check", "instructions")
    assert (code, out) == (0, "gold answers: 200 of 200\nlog-probabilities: agree to 1e-6\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "instruction"], "error: preset: instruction: unknown; did you mean 'instructions'?"),
        (["train", "instructions", "sed=1"], "error: sed: 1: unknown; did you mean 'seed'?"),
        (["train", "instructions", "--config", "no.yaml"], "error: config file: no.yaml: cannot be read"),
        (["train", "--resume", "nowhere"], "error: run folder: nowhere: has no config.yaml"),
        (["evaluate", "sentimant"], "error: preset: sentimant: unknown; did you mean 'sentiment'?"),
        (["check", "instructions", "seed=-1"], "error: seed: -1: must be greater than or equal to 0"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(backsight: Run, words: list[str], message: str) -> None:
    code, out, err = backsight(*words)
    assert (code, out) == (2, "")
    assert err.startswith(message)
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ["train"],
        ["evaluate"],
        ["bogus"],
        ["train", "--bogus"],
        ["train", "--resume", "x", "--config", "y"],
        [],
    ],
)
def test_wrong_usage_is_exit_code_2(backsight: Run, words: list[str]) -> None:
    code, _, err = backsight(*words)
    assert code == 2
    assert "Traceback" not in err


def test_errors_of_a_run_are_one_line(backsight: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    spy_on(monkeypatch, "run", DataError("data.jsonl:3", "{", "is not JSON"))
    assert backsight("train", "instructions") == (2, "", "error: data.jsonl:3: {: is not JSON\n")


def test_version(backsight: Run) -> None:
    assert backsight("--version") == (0, "0.1.0\n", "")


def test_help_names_every_preset() -> None:
    assert all(name in arguments.PRESET.help for name in PRESETS)


def test_help_is_quick_because_it_imports_little() -> None:
    code = (
        "import sys; sys.argv = ['backsight', '--help']\n"
        "from backsight.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "sys.exit(bool({'torch', 'transformers', 'yaml', 'numpy', 'backsight.config'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)
