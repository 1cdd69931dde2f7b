"""Presets, how they are found by name, and how they are configured."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import pytest
from toy_tasks import GoalString, SayWord

from backsight.config import RunConfig, read_changes
from backsight.errors import ConfigError, DataError
from backsight.hindsight.options import OutcomeOptions
from backsight.hindsight.prompt.options import RelabelOptions
from backsight.presets.base import START, Preset, configure, find_preset, make_task, on_rows
from backsight.presets.catalogue import PRESETS
from backsight.tasks.base import Task
from backsight.tasks.rows import RowsTask
from backsight.tasks.sentiment import SentimentTask
from backsight.training.config import StopConfig


def preset(needs_data: bool | None) -> Preset:
    config = RunConfig(preset="toy", hindsight=OutcomeOptions(), **START)
    return Preset("toy", "say a word", config, lambda own: SayWord(), needs_data)


def test_it_is_configured_change_by_change() -> None:
    toy = preset(needs_data=False)
    config = toy.configure({"seed": 1, "stop": {"max_seconds": 9}}, {"seed": 2})
    assert (config.seed, config.stop) == (2, StopConfig(max_seconds=9))
    assert toy.configure() == toy.config
    with pytest.raises(ConfigError, match=r"^sed: 1: unknown; did you mean 'seed'\?$"):
        toy.configure({"sed": 1})


@pytest.mark.parametrize(
    ("changes", "stop"),
    [
        ([{"stop": {"max_attempts": 9}}], StopConfig(max_attempts=9)),
        ([{"stop": StopConfig(max_tokens=9)}], StopConfig(max_tokens=9)),
        ([{"stop": {"max_attempts": 9}}, {"stop": {"max_seconds": 7}}], StopConfig(max_attempts=9, max_seconds=7)),
        ([{"stop": {"max_attempts": 9}}, {"stop": {"max_attempts": None, "max_steps": 3}}], StopConfig(max_steps=3)),
        ([{"stop": {"patience": 9}}], StopConfig(max_steps=200, patience=9)),
        ([{"stop": {"max_seconds": None}}], StopConfig(max_steps=200)),
        ([{"stop": {"max_steps": None, "target": 0.5}}], StopConfig(target=0.5)),
    ],
)
def test_a_budget_that_is_named_replaces_those_of_the_preset(changes: list[dict[str, Any]], stop: StopConfig) -> None:
    changes = [*changes, {"eval_steps": 1}]
    own, _ = configure(GoalString(1), *changes)
    assert preset(needs_data=False).configure(*changes).stop == own.stop == stop


@pytest.mark.parametrize("stop", [9, "soon", {"max_step": 9}, {"max_steps": -1}])
def test_a_stop_that_cannot_be_read_is_refused_in_one_line(stop: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        preset(needs_data=False).configure({"stop": stop})
    assert str(caught.value).startswith("stop") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("needs_data", "changes", "complaint"),
    [
        (True, {}, "data: None: toy learns from your rows: set data=FILE"),
        (False, {"data": "rows.jsonl"}, "data: rows.jsonl: toy makes its own items; leave it out"),
        (False, {"eval_data": "more.jsonl"}, "eval_data: more.jsonl: goes with training data, and toy has none yet"),
        (False, {"ood_data": "far.jsonl"}, "ood_data: far.jsonl: goes with training data, and toy has none yet"),
    ],
)
def test_data_that_does_not_fit_the_preset_is_refused(
    needs_data: bool, changes: dict[str, Any], complaint: str
) -> None:
    toy = preset(needs_data)
    with pytest.raises(ConfigError) as caught:
        toy.task(toy.configure(changes))
    assert str(caught.value).startswith(complaint)


def test_a_task_may_decide_by_itself_about_data() -> None:
    toy = preset(needs_data=None)
    for changes in ({}, {"data": "rows.jsonl"}):
        assert isinstance(toy.task(toy.configure(changes)), SayWord)


def test_a_preset_on_rows_reveals_what_was_right(tmp_path: Path) -> None:
    paths = {name: str(tmp_path / f"{name}.jsonl") for name in ("data", "eval_data", "ood_data")}
    for name, path in paths.items():
        rows = [{"text": f"{name} {label}", "label": label} for label in ("good", "bad")]
        Path(path).write_text("\n".join(map(json.dumps, rows)))
    labels = on_rows("labels", "label a text", SentimentTask, max_completion_length=8)
    assert (labels.needs_data, labels.config.preset, labels.config.max_completion_length) == (True, "labels", 8)
    assert (labels.config.hindsight.label, labels.config.algorithm) == ("gold_anchor", "rloo")
    assert (labels.config.policy, labels.config.learning_rate) == ("pocket", 1e-4)
    task = labels.task(labels.configure(paths))
    assert isinstance(task, SentimentTask)
    assert {split: task.items(split)[0].prompt.partition(" ")[0] for split in ("train", "test", "ood")} == {
        "train": "data",
        "test": "eval_data",
        "ood": "ood_data",
    }


def offline_sentiment() -> Preset:
    config = RunConfig(preset="sentiment", hindsight=OutcomeOptions(), **{**START, "seed": 7})
    return Preset("sentiment", "of a package", config, lambda own: SayWord())


def say_word(config: RunConfig) -> Task:
    return SayWord()


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """Things by group and name that stand for those of installed packages."""
    groups: dict[str, dict[str, Any]] = {}

    class Point(EntryPoint):
        def load(self) -> Any:
            return groups[self.group][self.name]

    def entry_points(group: str, **own: str) -> EntryPoints:
        return EntryPoints(Point(name, "nowhere", group) for name in groups.get(group, {})).select(**own)

    monkeypatch.setattr("backsight.registry.entry_points", entry_points)
    return groups


@pytest.mark.usefixtures("added")
@pytest.mark.parametrize("name", [each for each in PRESETS.own if not each.endswith(":")])
def test_every_preset_goes_by_its_name(name: str) -> None:
    preset = find_preset(name)
    assert preset.name == preset.config.preset == name
    if preset.needs_data:
        with pytest.raises(ConfigError, match=f"^data: None: {name} learns from your rows: set data=FILE"):
            preset.task(preset.config)
    assert preset.summary


def test_of_two_presets_of_one_name_the_data_decide(added: dict[str, dict[str, Any]]) -> None:
    assert find_preset("sentiment").needs_data is True
    added["backsight.presets"] = {"sentiment": offline_sentiment}
    assert find_preset("sentiment").config.seed == 7
    assert find_preset("sentiment", {"seed": 1}, {"data": None}).config.seed == 7
    assert find_preset("sentiment", {"seed": 1}, {"data": "rows.jsonl"}).config.seed == 0
    assert find_preset("translation").needs_data is True


def for_toy() -> Preset:
    config = RunConfig(preset="instructions", hindsight=OutcomeOptions(), **{**START, "policy": "toy"})
    return Preset("instructions", "of a package", config, lambda own: SayWord(), made_for="toy")


def test_of_two_presets_of_one_name_the_model_at_the_beginning_decides(
    added: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    for run, policy in (("one", "toy"), ("two", tmp_path / "one"), ("three", tmp_path / "two" / "policy"), ("x", "y")):
        (tmp_path / run / "policy").mkdir(parents=True)
        (tmp_path / run / "config.yaml").write_text(f"policy: {policy}\n")
    own = find_preset("instructions").config.policy
    assert find_preset("instructions", {"policy": "toy"}).config.policy == own
    added["backsight.presets"] = {"instructions": for_toy}
    chosen = {"toy": "toy", "one": "toy", "three": "toy", "three/policy": "toy", "x": own, "nowhere": own}
    for policy, expected in chosen.items():
        place = policy if policy == "toy" else tmp_path / policy
        assert find_preset("instructions", {"policy": place}).config.policy == expected, policy
    assert find_preset("instructions").config.policy == own
    assert find_preset("instructions", {"policy": "toy"}, {"policy": "mine"}).config.policy == own
    assert find_preset("instructions", {"policy": "mine"}, {"policy": "toy"}).config.policy == "toy"


def test_a_task_of_a_package_has_settings_to_start_from(added: dict[str, dict[str, Any]]) -> None:
    added["backsight.tasks"] = {"say_word": say_word}
    preset = find_preset("say_word")
    assert isinstance(preset.task(preset.configure({"data": "anything"})), SayWord)
    assert (preset.config.preset, preset.config.hindsight.label, preset.config.algorithm) == (
        "say_word",
        "outcome",
        "rloo",
    )
    assert preset.needs_data is None


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("sentimant", "preset: sentimant: unknown; did you mean 'sentiment'?"),
        ("say_wrd", "preset: say_wrd: unknown; did you mean 'say_word'?"),
        ("reasoning-gim:chain_sum", "preset: reasoning-gim:chain_sum: unknown; did you mean 'reasoning-gym:'?"),
    ],
)
def test_an_unknown_name_is_told_the_nearest(added: dict[str, dict[str, Any]], name: str, complaint: str) -> None:
    added["backsight.tasks"] = {"say_word": say_word}
    with pytest.raises(ConfigError) as caught:
        find_preset(name)
    assert str(caught.value) == complaint


def test_a_task_of_ones_own_has_settings_to_start_from() -> None:
    task = GoalString(1)
    config, build_task = configure(task, {"policy": "mine", "hindsight": "relabel", "stop": {"max_seconds": 9}})
    assert (config.preset, config.policy, config.hindsight) == ("goal_string", "mine", RelabelOptions())
    assert config.stop == StopConfig(max_seconds=9)
    assert build_task(config) is task
    assert configure(task, {})[0].policy == "pocket"


def test_a_preset_has_settings_and_a_task(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": each, "label": each}) + "\n" for each in ("good", "bad")))
    config, build_task = configure("sentiment", {"data": str(path), "eval_data": str(path), "seed": 3})
    assert (config.preset, config.seed, config.algorithm) == ("sentiment", 3, "rloo")
    for task in (build_task(config), make_task(config)):
        assert isinstance(task, SentimentTask) and task.labels == ("bad", "good")


@pytest.mark.parametrize(
    ("task", "settings", "complaint"),
    [
        (SayWord(), {"sed": 1}, r"^sed: 1: unknown; did you mean 'seed'\?$"),
        ("sentimant", {}, r"^preset: sentimant: unknown; did you mean 'sentiment'\?$"),
        ("logs", {"seed": -1}, "^seed: -1: must be greater than or equal to 0$"),
    ],
)
def test_settings_that_do_not_fit_are_named(task: Any, settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        configure(task, settings)


def test_words_come_over_files_and_files_over_defaults(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("seed: 7\noutput_dir: there\nnum_generations: 4\ndata: rows.jsonl\n")
    first = {"output_dir": "here", "run_name": "mine"}
    config, _ = configure("logs", first, *read_changes([path], ["num_generations=2"]))
    assert (config.preset, config.seed, config.data) == ("logs", 7, "rows.jsonl")
    assert (config.output_dir, config.num_generations, config.run_name) == ("there", 2, "mine")
    assert configure("logs")[0].output_dir == "runs"


def test_data_in_a_file_decide_as_well_as_on_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("data: rows.jsonl\n")
    assert configure("sentiment", *read_changes(None, None))[0].hindsight.name == "relabel"
    assert configure("sentiment", *read_changes(None, ["data=rows.jsonl"]))[0].hindsight.name == "gold_anchor"
    assert configure("sentiment", *read_changes([path], None))[0].hindsight.name == "gold_anchor"
    with pytest.raises(ConfigError, match="preset: sentimant: unknown; did you mean 'sentiment'"):
        configure("sentimant")


def test_rows_in_place_of_a_task_become_one() -> None:
    rows = [{"prompt": "a"}]
    config, make = configure({"train": rows, "test": rows}, {"seed": 3})
    task = make(config)
    assert isinstance(task, RowsTask) and (config.preset, config.seed) == ("rows", 3)
    with pytest.raises(DataError, match="^data: 5: give a path, a hub id, a list"):
        configure(5)  # type: ignore[arg-type]
