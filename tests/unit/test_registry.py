"""Names to things: those of backsight, and those that an installed package adds by entry points."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny_models import tiny_policy
from toy_tasks import WORDS

import backsight
from backsight.comparison.request import make_request
from backsight.config import RunConfig, change_config, dump_config, read_changes, read_config
from backsight.errors import ConfigError
from backsight.hindsight.catalogue import METHODS
from backsight.presets.base import configure, find_preset, make_task
from backsight.presets.catalogue import PRESETS
from backsight.registry import Registry, load
from backsight.reports.run_folder import RunReader
from backsight.rollouts.engines import ENGINES
from backsight.runs.start import load_policy
from backsight.tasks.base import PromptTask
from backsight.training.config import StopConfig

Install = Callable[..., None]


def read_settings(preset: str, *words: str) -> RunConfig:
    return configure(preset, *read_changes([], words))[0]


METHOD = '''
from typing import ClassVar, Literal

from backsight import Hindsight, LookBack, MethodOptions


class EchoOptions(MethodOptions):
    """Imitates every attempt so many times."""

    method: ClassVar[str] = "methods:Echo"
    name: Literal["echo"] = "echo"
    times: int = 1


class Echo(Hindsight[EchoOptions]):
    def reconsider(self, groups, scorer):
        from backsight.hindsight.base import imitation_row

        rows = [
            imitation_row(each.prompts, each.responses, "echo")
            for group in groups
            for each in group.trajectories
            for _ in range(self.options.times)
        ]
        return LookBack(groups, rows)
'''
TASK = '''
from backsight import Feedback, Item, PromptTask


class Counting(PromptTask):
    """Say the number."""

    eval_splits = ("test",)

    def __init__(self, data):
        self.name, self.data = "counting", data

    def items(self, split):
        return [Item(str(number), f"say {number}:", f" {number}") for number in range(4)]

    def judge(self, item, completion):
        right = completion == item.target
        return Feedback(reward=float(right), success=right)


def make_task(config):
    return Counting(config.data)
'''
PRESET = """
from backsight.config import RunConfig
from backsight.hindsight.options import OutcomeOptions
from backsight.presets.base import START, Preset
from my_things.tasks import make_task


def counting():
    config = RunConfig(preset="counting-well", hindsight=OutcomeOptions(), **{**START, "seed": 7})
    return Preset("counting-well", "say a number", config, make_task)


def counting_by(step):
    config = RunConfig(preset=f"counting-by:{step}", hindsight=OutcomeOptions(), **START)
    return Preset(f"counting-by:{step}", "say a number", config, make_task)
"""
ENGINE = '''
from typing import Literal

from backsight.rollouts.engine_options import EngineOptions
from backsight.rollouts.engines import InProcessOptions

BUILT = []


class RemoteOptions(EngineOptions):
    """Notes that it was asked."""

    name: Literal["remote"] = "remote"
    port: int = 80

    def build(self, policy):
        BUILT.append(self.port)
        return InProcessOptions().build(policy)
'''


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a package `my_things` with these modules on the path, as `pip install` would, with these entry points."""

    def install(modules: dict[str, str], **points: dict[str, str]) -> None:
        package, metadata = tmp_path / "site" / "my_things", tmp_path / "site" / "my_things-0.1.dist-info"
        for folder in (package, metadata):
            folder.mkdir(parents=True)
        for name, code in {"__init__": "", **modules}.items():
            (package / f"{name}.py").write_text(code)
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my-things\nVersion: 0.1\n")
        lines = []
        for group, own in points.items():
            lines += [f"[backsight.{group}]", *(f"{name} = {place}" for name, place in own.items())]
        (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
        monkeypatch.syspath_prepend(tmp_path / "site")

    yield install
    for name in [each for each in sys.modules if each.partition(".")[0] == "my_things"]:
        del sys.modules[name]


@pytest.fixture
def model(tmp_path: Path) -> str:
    tiny_policy(words=WORDS).save(tmp_path / "model")
    return str(tmp_path / "model")


def small(folder: Path) -> dict[str, Any]:
    """Settings of a run of a step."""
    return {
        "output_dir": str(folder / "runs"),
        "stop": {"max_steps": 1},
        "prompts_per_step": 2,
        "num_generations": 2,
        "max_completion_length": 2,
        "eval_items": 2,
        "show_progress": False,
    }


def test_a_thing_is_given_or_said_where_it_stands() -> None:
    registry: Registry[Any] = Registry("backsight.nothing", "thing", {"one": 1, "join": "posixpath:join"})
    assert registry.names() == ["one", "join"]
    assert registry.find("one") == 1
    assert registry.find("join")("a", "b") == "a/b"
    assert list(registry.providers("two")) == []
    with pytest.raises(ConfigError, match=r"^thing: oen: unknown; did you mean 'one'\?$"):
        registry.find("oen")
    assert load("posixpath:join")("a", "b") == "a/b"


def test_a_name_is_loaded_when_it_is_looked_up_and_not_before(install: Install) -> None:
    install({"broken": "1 / 0"}, methods={"other": "my_things.broken:Other"})
    assert "other" in METHODS.names() and METHODS.find("outcome")
    assert "my_things" not in sys.modules


def test_a_method(install: Install, tmp_path: Path, model: str) -> None:
    install({"methods": METHOD}, methods={"echo": "my_things.methods:EchoOptions"})
    base = find_preset("logs").config
    config = change_config(base, *read_changes([], ["hindsight=echo", "hindsight.times=2"]))
    assert (config.hindsight.name, config.hindsight.model_dump()) == ("echo", {"name": "echo", "times": 2})
    assert config.default_run_name == "logs-echo"
    (tmp_path / "config.yaml").write_text(dump_config(config))
    assert read_config(tmp_path / "config.yaml") == config
    assert change_config(base, {"hindsight": ["outcome", "echo"]}).hindsight.label == "outcome+echo"
    with pytest.raises(ConfigError, match=r"^hindsight.time: 2: unknown; did you mean 'hindsight.times'\?$"):
        change_config(config, {"hindsight": {"time": 2}})
    with pytest.raises(ConfigError, match="^hindsight.times: 2: is an option of echo, not of outcome; leave it out$"):
        change_config(base, {"hindsight": {"name": "outcome", "times": 2}})
    request = make_request(base, lambda config: SayNothing(), ["outcome", "echo"], seeds=1)
    assert list(request.methods) == ["outcome", "echo"]

    result = backsight.finetune(model, SayNothing(), hindsight={"name": "echo", "times": 3}, **small(tmp_path))
    (metrics,) = RunReader(result.folder).metrics()
    assert (metrics["examples/outcome"], metrics["examples/echo"]) == (4, 12)


class SayNothing(PromptTask):
    """Nothing is right."""

    name = "say_nothing"
    eval_splits = ("test",)

    def items(self, split: str) -> list[backsight.Item]:
        return [backsight.Item(str(number), f"p {number}") for number in range(4)]

    def judge(self, item: backsight.Item, completion: str) -> backsight.Feedback:
        return backsight.Feedback(reward=0.0, success=False)


def test_a_preset(install: Install) -> None:
    points = {"counting-well": "my_things.presets:counting", "counting-by:": "my_things.presets:counting_by"}
    install({"tasks": TASK, "presets": PRESET}, presets=points)
    assert {"counting-well", "counting-by:"} <= set(PRESETS.names())
    config = read_settings("counting-well", "num_generations=2")
    assert (config.preset, config.seed, config.num_generations) == ("counting-well", 7, 2)
    assert make_task(config).items("test")[3].target == " 3"
    assert make_task(read_settings("counting-by:2")).name == "counting"
    with pytest.raises(ConfigError, match=r"^preset: counting-wel: unknown; did you mean 'counting-well'\?$"):
        find_preset("counting-wel")
    with pytest.raises(ConfigError, match="^data: rows.jsonl: counting-well makes its own items; leave it out$"):
        make_task(read_settings("counting-well", "data=rows.jsonl"))


def test_a_task(install: Install, tmp_path: Path, model: str) -> None:
    install({"tasks": TASK}, tasks={"counting": "my_things.tasks:make_task"})
    config = read_settings("counting", "data=anything")
    assert (config.preset, config.hindsight.name, config.stop) == ("counting", "outcome", StopConfig(max_steps=200))
    assert make_task(config).data == "anything"  # type: ignore[attr-defined]
    result = backsight.finetune(model, "counting", **small(tmp_path))
    assert result.folder.name == "counting-outcome" and set(result.after) == {"test"}
    assert read_config(result.folder / "config.yaml").preset == "counting"
    with pytest.raises(ConfigError, match=r"^preset: countin: unknown; did you mean 'counting'\?$"):
        find_preset("countin")


def test_an_engine(install: Install, tmp_path: Path, model: str) -> None:
    install({"engines": ENGINE}, engines={"remote": "my_things.engines:RemoteOptions"})
    assert ENGINES.names() == [*ENGINES.own, "remote"]
    config = read_settings("logs", "engine=remote", "engine.port=8000")
    assert config.engine.model_dump() == {"name": "remote", "port": 8000}
    (tmp_path / "config.yaml").write_text(dump_config(config))
    assert read_config(tmp_path / "config.yaml") == config
    with pytest.raises(ConfigError, match="^engine.port: 80: is an option of remote, not of in_process; leave it out$"):
        read_settings("logs", "engine.port=80")


def test_an_engine_samples_the_attempts_of_a_run(install: Install, tmp_path: Path, model: str) -> None:
    install({"engines": ENGINE}, engines={"remote": "my_things.engines:RemoteOptions"})
    built = load("my_things.engines:BUILT")
    settings: dict[str, Any] = {**small(tmp_path), "engine": {"name": "remote", "port": 8000}}
    backsight.finetune(model, SayNothing(), **settings)
    assert built == [8000]
    built.clear()
    backsight.finetune(model, SayNothing(), max_staleness=1, loss_type="tis", **settings)
    assert built == [8000, 8000], "one acts with a copy, for the learner's weights change while it samples"


def test_a_model(install: Install, tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    install({"models": f"def folder():\n    return {model!r}\n"}, policies={"tiny": "my_things.models:folder"})
    assert load_policy("tiny").encode(" red") == tiny_policy(words=WORDS).encode(" red")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").mkdir()
    assert load_policy("tiny").model.name_or_path == model, "the name goes before a folder"
    found = backsight.evaluate("tiny", SayNothing(), eval_items=2, max_completion_length=2)
    assert found.paths == {"policy": "tiny"}


@pytest.mark.parametrize(
    ("code", "place", "what"),
    [
        ("import no_such_module", "my_things.broken:Thing", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise RuntimeError('not\\ntoday')", "my_things.broken:Thing", "RuntimeError: not today"),
        ("", "my_things.broken:Thing", "AttributeError: module 'my_things.broken' has no attribute 'Thing'"),
    ],
)
def test_a_package_that_does_not_load_is_one_error_that_names_it(
    install: Install, code: str, place: str, what: str
) -> None:
    install({"broken": code}, methods={"bad": place}, presets={"bad": place}, engines={"bad": place})
    for field, look_up in (
        ("hindsight", lambda: read_settings("logs", "hindsight=bad")),
        ("engine", lambda: read_settings("logs", "engine=bad")),
        ("preset", lambda: find_preset("bad")),
    ):
        with pytest.raises(ConfigError) as caught:
            look_up()
        remedy = f"the package my-things does not load ({what}); mend it or uninstall it"
        assert " ".join(str(caught.value).split()) == f"{field}: bad: {remedy}"
