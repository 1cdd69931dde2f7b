import os
import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import numpy
import pytest
from pydantic import ValidationError

from backsight.config import (
    RunConfig,
    change_config,
    dump_config,
    first_policy,
    read_changes,
    read_config,
    resume_config,
)
from backsight.errors import ConfigError
from backsight.hindsight.catalogue import ChainOptions, RouteOptions
from backsight.hindsight.options import OutcomeOptions
from backsight.hindsight.prompt.options import RelabelOptions
from backsight.hindsight.response.options import SupervisedOptions
from backsight.policies.config import AdapterConfig
from backsight.training.algorithms import ALGORITHMS
from backsight.training.config import StopConfig
from backsight.types import Sampling

BASE = RunConfig(
    preset="toy", policy="pocket", hindsight=OutcomeOptions(), stop=StopConfig(max_steps=5), learning_rate=1e-3
)


def changed(*overrides: str) -> RunConfig:
    return change_config(BASE, *read_changes([], overrides))


def complaint(*overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        changed(*overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_nothing_changes_without_overrides() -> None:
    assert changed() == BASE


@pytest.mark.parametrize(
    ("override", "field", "value"),
    [
        ("learning_rate=1e-5", "learning_rate", 1e-5),
        ("learning_rate=2E+1", "learning_rate", 20.0),
        ("learning_rate=1", "learning_rate", 1.0),
        ("run_name=none", "run_name", None),
        ('run_name="none"', "run_name", "none"),
        ("run_name=", "run_name", None),
        ("policy=models/a=b", "policy", "models/a=b"),
        ("trust_remote_code=true", "trust_remote_code", True),
        ("algorithm=rloo", "algorithm", "rloo"),
        ("policy=a #2", "policy", "a #2"),
        ("policy=#2", "policy", "#2"),
        ("policy='a #2'", "policy", "a #2"),
        ("policy= a b ", "policy", " a b "),
        ("policy=&a b", "policy", "&a b"),
        ("policy=modèles/数据", "policy", "modèles/数据"),
        ("run_name=2026-01-31", "run_name", "2026-01-31"),
    ],
)
def test_values_are_read_as_yaml(override: str, field: str, value: object) -> None:
    read = getattr(changed(override), field)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("override", ["policy='a' #2", 'policy="a" b', "stop_strings=[a] #2", "policy=a\x1b"])
def test_nothing_of_a_value_is_dropped(override: str) -> None:
    with pytest.raises(ConfigError, match="put (all of )?it into quotes"):
        changed(override)


def test_paths_and_numbers_of_other_libraries_are_taken() -> None:
    config = change_config(
        BASE,
        {
            "policy": Path("models") / "mine",
            "learning_rate": numpy.float32(0.5),
            "prompts_per_step": numpy.int64(4),
            "stop": {"max_steps": numpy.int32(3)},
            "temperature": Decimal("0.5"),
            "num_generations": Decimal(2),
            "trust_remote_code": numpy.bool_(True),
        },
    )
    assert (config.policy, config.learning_rate, config.prompts_per_step) == ("models/mine", 0.5, 4)
    assert (config.stop.max_steps, config.temperature, config.num_generations) == (3, 0.5, 2)
    assert config.trust_remote_code is True
    assert dump_config(config)


@pytest.mark.parametrize("value", [date(2026, 1, 31), numpy.zeros(2), Decimal("Infinity"), Decimal("NaN"), b"x", {1}])
def test_what_is_no_setting_is_named(value: object) -> None:
    with pytest.raises(ConfigError, match="learning_rate: .*must be a"):
        change_config(BASE, {"learning_rate": value})


def test_dotted_keys_change_one_field_of_a_group() -> None:
    assert changed("stop.max_seconds=60", "stop.target=none").stop == StopConfig(max_steps=5, max_seconds=60)


def test_later_overrides_win() -> None:
    assert changed("seed=1", "seed=2").seed == 2


@pytest.mark.parametrize(
    "overrides",
    [
        ["hindsight=relabel", "hindsight.imitation_weight=0.5"],
        ["hindsight.imitation_weight=0.5", "hindsight=relabel"],
        ["hindsight.name=relabel", "hindsight.imitation_weight=0.5"],
        ["hindsight={name: relabel, imitation_weight: 0.5}"],
    ],
)
def test_a_choice_by_name_has_a_short_form_and_no_order(overrides: list[str]) -> None:
    assert changed(*overrides).hindsight == RelabelOptions(imitation_weight=0.5)


def test_another_name_drops_what_it_has_no_use_for() -> None:
    relabelled = changed("hindsight=relabel", "hindsight.imitation_weight=0.5")
    assert change_config(relabelled, *read_changes([], ["hindsight=supervised"])).hindsight == SupervisedOptions()
    assert change_config(relabelled, *read_changes([], ["hindsight=relabel"])).hindsight == RelabelOptions(
        imitation_weight=0.5
    )


@pytest.mark.parametrize("hindsight", ["relabel", {"name": "relabel"}, RelabelOptions()])
def test_python_values_are_merged_like_yaml(hindsight: object) -> None:
    config = change_config(BASE, {"hindsight": hindsight, "stop": {"max_seconds": 3}, "policy": "a/😀: b"})
    assert config.hindsight == RelabelOptions()
    assert config.stop == StopConfig(max_steps=5, max_seconds=3)
    assert config.policy == "a/😀: b"
    with pytest.raises(ConfigError, match=r"^sed: 1: unknown; did you mean 'seed'\?$"):
        change_config(BASE, {"sed": 1})


def test_files_come_before_overrides_and_stack(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("seed: 1\nhindsight: relabel\nstop: {max_seconds: 10}\nlearning_rate: 3e-4\n")
    second.write_text("seed: 2\nhindsight: {imitation_weight: 0.5}\nnum_iterations: 3\n")
    config = change_config(BASE, *read_changes([first, second], ["num_iterations=4"]))
    assert (config.seed, config.num_iterations, config.learning_rate) == (2, 4, 3e-4)
    assert config.stop == StopConfig(max_steps=5, max_seconds=10)
    assert config.hindsight == RelabelOptions(imitation_weight=0.5)


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["hindsight=relabel", 'run_name="none"', "learning_rate=1e-30"],
        ['data="1e5"', 'policy="yes"', "output_dir=größe/日本"],
    ],
)
def test_what_is_dumped_loads_back(tmp_path: Path, overrides: list[str]) -> None:
    config = changed(*overrides)
    path = tmp_path / "config.yaml"
    path.write_text(dump_config(config), encoding="utf-8")
    assert read_config(path) == config
    assert change_config(BASE, *read_changes([path], [])) == config


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("learning_rte=1", "learning_rte: 1: unknown; did you mean 'learning_rate'?"),
        ("max_steps=3", "max_steps: 3: unknown; did you mean 'stop.max_steps'?"),
        ("stop.max_stps=4", "stop.max_stps: 4: unknown; did you mean 'stop.max_steps'?"),
        ("stopp.max_steps=4", "stopp.max_steps: 4: unknown; did you mean 'stop.max_steps'?"),
        ("hindsight=relable", "hindsight: relable: unknown; did you mean 'relabel'?"),
        ("hindsight.max_replays=2", "hindsight.max_replays: 2: is an option of relabel, not of outcome; leave it out"),
        ("algorithm=qqq", f"algorithm: qqq: known: {', '.join(sorted(ALGORITHMS))}"),
        ("learning_rate=fast", "learning_rate: fast: must be a valid number"),
        ("learning_rate=-1", "learning_rate: -1: must be greater than 0"),
        ("learning_rate=.nan", "learning_rate: nan: must be a finite number"),
        ("num_generations=true", "num_generations: True: must be a valid integer"),
        ("num_generations=2.5", "num_generations: 2.5: must be a valid integer"),
        ("stop.max_steps.x=1", "stop.max_steps: {'x': 1}: must be a valid integer"),
        ("policy=5", "policy: 5: must be text; put it into quotes: policy='\"…\"'"),
        ("run_name=../up", r"run_name: ../up: must match pattern '^\w[\w. -]*$'"),
        ("stop=5", "stop: 5: holds several settings; set one of stop.{max_steps,"),
        ("hindsight=[1]",
         "hindsight: [1]: is no choice and no list of choices; write it like hindsight='[outcome, {name: relabel}]"),
        ("stop.max_steps=none", "stop: empty: training would never end"),
        ("preset=other", "preset: other: is not 'toy'; leave it out"),
        ("policy=[a", "policy: [a: is not YAML; put it into quotes"),
        ("seed", "override: seed: write it as key=value"),
        ("num_generations=1", "num_generations: 1: algorithm=grpo compares siblings; set it to 2 or more"),
        ("overlong_buffer=65", "overlong_buffer: 65: is above max_completion_length=64"),
        ("keep_best=true", "eval_steps: 0: keep_best chooses among evaluations"),
        ("top_p=0", "top_p: 0: must be greater than 0"),
        ("min_p=1", "min_p: 1: must be less than 1"),
        ("top_k=-1", "top_k: -1: must be greater than or equal to 0"),
        ("stop_strings=END", "stop_strings: END: must be a list: stop_strings='[\"…\"]'"),
        ("stop_strings=['']", "stop_strings.0: : must have at least 1 character"),
        ("min_completion_length=65", "min_completion_length: 65: is above max_completion_length=64; lower it"),
        ("importance_cap=0.5", "importance_cap: 0.5: must be greater than or equal to 1"),
        ("learning_rate=1e38", "learning_rate: 1e+38: must be less than or equal to 100"),
        ("critic_learning_rate=1e38", "critic_learning_rate: 1e+38: must be less than or equal to 100"),
        ("weight_decay=1e8", "weight_decay: 100000000.0: times learning_rate=0.001 is above 1"),
        ("weight_decay=1e30", "weight_decay: 1e+30: must be 0, or between 1e-30 and 1e+09"),
        ("temperature=1e-300", "temperature: 1e-300: must be greater than or equal to 0.0001"),
        ("temperature=1e300", "temperature: 1e+300: must be less than or equal to 10000"),
        (f"prompts_per_step={10**18}", f"prompts_per_step: {10**18}: must be less than or equal to 1048576"),
        (f"num_generations={10**18}", f"num_generations: {10**18}: must be less than or equal to 1048576"),
        (f"mini_batches={10**30}", f"mini_batches: {10**30}: must be less than or equal to 1048576"),
        (f"seed={10**40}", f"seed: {10**40}: must be below 2**63"),
        (f"adapter={{r: {10**12}}}", f"adapter.r: {10**12}: must be less than or equal to 65536"),
        ("reward_timeout=0", "reward_timeout: 0: must be greater than 0"),
        ("epsilon_high=0.1", "epsilon_high: 0.1: is below epsilon=0.2; raise it as well"),
        ("stop.target=0.9", "eval_steps: 0: stop.target and stop.patience need evaluations"),
    ],
)  # fmt: skip
def test_bad_input_gets_one_line_with_key_value_and_remedy(override: str, message: str) -> None:
    assert complaint(override).startswith(message)


def test_an_unknown_key_that_is_near_nothing_lists_all() -> None:
    assert "known: adapter, " in complaint("qqq=1")
    assert "stop.max_steps" in complaint("qqq=1")


def test_attempts_of_another_policy_need_a_ratio_to_it() -> None:
    with pytest.raises(ConfigError, match="loss_type: pg: max_staleness needs a ratio"):
        changed("max_staleness=1", "loss_type=pg")
    assert changed("max_staleness=1", "loss_type=tis").max_staleness == 1


def test_what_samples_nothing_cannot_resample() -> None:
    assert complaint("max_resample_rounds=2", "hindsight=supervised") == (
        "max_resample_rounds: 2: supervised samples no attempts; leave it out"
    )


def test_an_algorithm_brings_its_loss_and_settings_win() -> None:
    assert changed("algorithm=gspo").loss == ("gspo", 3e-4, 4e-4)
    assert changed("algorithm=dapo").loss == ("clip", 0.2, 0.28)
    assert changed("algorithm=dapo", "epsilon=0.3").loss == ("clip", 0.3, 0.3)
    assert changed("algorithm=cispo", "loss_type=tis", "epsilon_high=5").loss == ("tis", 0.2, 5.0)
    assert all(changed(f"algorithm={name}").loss.loss_type == known.loss_type for name, known in ALGORITHMS.items())


@pytest.mark.parametrize(
    ("overrides", "estimator"),
    [
        ([], "grpo"),
        (["scale_rewards=group", "algorithm=dr_grpo"], "grpo"),
        (["scale_rewards=true", "algorithm=dr_grpo"], "grpo"),
        (["scale_rewards=batch", "algorithm=dapo"], "batch_grpo"),
        (["scale_rewards=none", "algorithm=gspo"], "dr_grpo"),
        (["scale_rewards=false"], "dr_grpo"),
        (["algorithm=dr_grpo"], "dr_grpo"),
        (["algorithm=rloo"], "rloo"),
    ],
)
def test_rewards_are_scaled_by_the_names_of_trl(overrides: list[str], estimator: str, tmp_path: Path) -> None:
    config = changed("algorithm=grpo", *overrides)
    assert config.estimator == estimator
    (tmp_path / "config.yaml").write_text(dump_config(config))
    assert read_config(tmp_path / "config.yaml").estimator == estimator


@pytest.mark.parametrize("algorithm", ["rloo", "reinforce", "ppo"])
def test_an_algorithm_that_scales_in_its_own_way_says_so(algorithm: str) -> None:
    with pytest.raises(ConfigError, match=f"^scale_rewards: batch: algorithm={algorithm} scales .*, or take grpo"):
        changed("scale_rewards=batch", f"algorithm={algorithm}")


def test_sampling_is_what_the_settings_say() -> None:
    config = changed("top_p=0.9", "min_completion_length=2", "stop_strings=['\\n', END]", "temperature=0.5")
    assert config.sampling == Sampling(0.5, top_p=0.9, min_completion_length=2, stop_strings=("\\n", "END"))


def test_a_schedule_needs_an_end() -> None:
    schedule = ["lr_scheduler_type=cosine", "eval_steps=5", "stop.max_steps=none", "stop.target=0.9"]
    assert complaint(*schedule).startswith("lr_scheduler_type: cosine: needs a known end")
    assert changed(*schedule, "stop.max_seconds=9").lr_scheduler_type == "cosine"


@pytest.mark.parametrize("overrides", [["algorithm=reinforce"], ["hindsight=supervised"]])
def test_one_attempt_is_enough_without_siblings(overrides: list[str]) -> None:
    assert changed("num_generations=1", *overrides).num_generations == 1


ALIASES = b"".join(b"%c: &%c [%s]\n" % (name, name, b",".join([b"*%c" % (name - 1)] * 9)) for name in b"bcdefghij")
"""Nine lines of which each stands nine times for the one before it."""


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        (b"a: [1", "is not YAML: while parsing a flow sequence"),
        (b"a: b: c", "line 1"),
        (b"\xff\xfe\x00", "is not YAML"),
        (b"!!python/object/apply:os.getcwd []", "is not YAML"),
        (b"- a\n- b\n", "holds no settings"),
        (b"", "holds no settings"),
        (b"? [a, b]\n: 1\n", "is not YAML: while constructing a mapping"),
        (b"seed: " + b"[" * 20_000, "is not YAML: RecursionError"),
        (b"seed: !!timestamp abc\n", "is not YAML: AttributeError"),
        (b"&a\nseed: *a\n", "is not YAML: its aliases stand for more than 10000 values"),
        (b"stop: {1: 2}\n", "the key 1 is no text; put it into quotes"),
        (b"true: 2\n", "the key True is no text"),
        (None, "cannot be read (No such file or directory)"),
        (b"policy: a\npolicy: b\n", "'policy' stands twice, in line 2"),
        (b"stop: {max_steps: 1, 'max_steps': 2}", "'max_steps' stands twice, in line 1"),
        (b"a: &a [x, x, x, x, x, x, x, x, x, x]\n" + ALIASES, "more than 10000 values"),
        (b"a: &a {x: 1}\n" + ALIASES.replace(b"[", b"{<<: [").replace(b"]", b"]}"), "more than 10000 values"),
        (b"a: &a [*a]", "more than 10000 values"),
        (b"[" * 100_000, "is not YAML: RecursionError"),
        (b"a: " + b"9" * 5_000, "is not YAML"),
        (b"a: !!int x", "is not YAML"),
        (b"a: !!timestamp x", "is not YAML"),
        (b"{[1]: 2}", "is not YAML"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes | None, remedy: str) -> None:
    path = tmp_path / "settings.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        change_config(BASE, *read_changes([path], []))
    assert caught.value.field == "config file"
    assert caught.value.value == path
    assert remedy in caught.value.remedy


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_is_not_read(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "a.yaml")
    with pytest.raises(ConfigError, match="is no file; name a YAML file"):
        read_changes([tmp_path / "a.yaml"], [])


@pytest.mark.parametrize(
    "word", ["seed=2024-13-45", "seed=!!timestamp abc", "stop={1: 2}", f"seed={'[' * 5_000}", "a=&a [*a]"]
)
def test_whatever_yaml_throws_at_a_value_is_one_line(word: str) -> None:
    assert complaint(word).startswith(f"{word.partition('=')[0]}: ")


def test_a_whole_configuration_lacks_nothing(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("policy: pocket\npreset: toy\nhindsight: outcome\n")
    with pytest.raises(ConfigError, match=r"^stop: missing: is needed; set it \(in .*config.yaml\)$"):
        read_config(path)


def test_only_the_end_of_a_resumed_run_may_change(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(dump_config(BASE))
    assert resume_config(path, ["stop.max_steps=50"]).stop == StopConfig(max_steps=50)
    assert resume_config(path, []) == BASE
    with pytest.raises(ConfigError, match=r"^learning_rate: 1: a run goes on as it began"):
        resume_config(path, ["learning_rate=1"])


def test_a_configuration_does_not_change() -> None:
    with pytest.raises(ValidationError):
        BASE.seed = 3  # type: ignore[misc]


def test_every_field_says_what_it_is() -> None:
    """All but the names that TRL and transformers have made plain."""
    plain: dict[str, Any] = {name: field for name, field in RunConfig.model_fields.items() if not field.description}
    assert set(plain) <= {"hindsight", "teacher", "learning_rate", "weight_decay", "stop", "seed"}


def test_a_list_of_methods_is_a_chain() -> None:
    chain = ChainOptions(methods=(OutcomeOptions(), RelabelOptions(max_replays=2)))
    assert changed("hindsight=[outcome, {name: relabel, max_replays: 2}]").hindsight == chain
    assert change_config(BASE, {"hindsight": ["outcome", RelabelOptions(max_replays=2)]}).hindsight == chain
    assert chain.label == "outcome+relabel"
    again = changed("hindsight=[outcome, {name: relabel, max_replays: 2}]")
    assert change_config(again, *read_changes([], ["hindsight=outcome"])).hindsight == OutcomeOptions()


def test_a_route_names_two_methods() -> None:
    route = RouteOptions(then=OutcomeOptions(), otherwise=RelabelOptions())
    assert changed("hindsight={name: route, then: outcome, otherwise: relabel}").hindsight == route
    assert changed("hindsight=[{name: route, then: outcome, otherwise: {name: relabel}}]").hindsight == ChainOptions(
        methods=(route,)
    )
    assert route.label == "outcome-or-relabel"


@pytest.mark.parametrize(
    "override, words",
    [
        ("hindsight=[]", "hindsight: []: is no choice and no list"),
        ("hindsight=[outcome, relable]", "relabel"),
        ("hindsight={name: route, then: outcome}", "hindsight.otherwise: missing"),
        ("hindsight=[{name: relabel, max_replay: 2}]", "max_replay"),
    ],
)
def test_mistakes_in_a_list_are_named(override: str, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        changed(override)


def test_a_written_chain_reads_back(tmp_path: Path) -> None:
    config = changed("hindsight=[outcome, relabel]")
    path = tmp_path / "config.yaml"
    path.write_text(dump_config(config))
    assert read_config(path) == config


def test_an_adapter_by_its_name_alone_or_by_an_option(tmp_path: Path) -> None:
    assert changed().adapter is None
    assert changed("adapter=lora").adapter == AdapterConfig()
    assert changed("adapter.r=4").adapter == AdapterConfig(r=4)
    config = changed("adapter=dora", "adapter.target_modules=[q_proj, v_proj]")
    assert config.adapter == AdapterConfig(name="dora", target_modules=("q_proj", "v_proj"))
    assert changed("adapter.target_modules=q_proj").adapter == AdapterConfig(target_modules=("q_proj",))
    assert change_config(config, {"adapter": None}).adapter is None
    assert changed("adapter=auto").adapter == AdapterConfig(name="auto")
    assert changed("adapter=auto", "adapter.r=4").adapter == AdapterConfig(r=4)
    auto = dump_config(changed("adapter=auto"))
    (tmp_path / "auto.yaml").write_text(auto)
    assert dump_config(read_config(tmp_path / "auto.yaml")) == auto
    assert change_config(config, *read_changes([], ["adapter=none"])).adapter is None
    path = tmp_path / "config.yaml"
    for each in (config, BASE):
        path.write_text(dump_config(each))
        assert read_config(path) == each


@pytest.mark.parametrize(
    "overrides, words",
    [
        (["adapter.rank=4"], "adapter.rank: 4: unknown; did you mean 'adapter.r'?"),
        (["adapter.r=0"], "adapter.r: 0: must be greater than or equal to 1"),
        (["adapter.target_modules=[]"], "adapter.target_modules"),
        (["adapter.quantize=true", "adapter.merge=true"], "adapter.merge: True: a base in four bits"),
        (["adapter.quantize=true", "bf16=true"], "bf16: True: adapter.quantize computes in bfloat16"),
    ],
)
def test_mistakes_in_an_adapter_are_named(overrides: list[str], words: str) -> None:
    assert words in complaint(*overrides)


def test_a_method_of_somebodys_own_outlasts_another_change() -> None:
    class OwnOptions(OutcomeOptions):
        name: Literal["own"] = "own"  # type: ignore[assignment]

    config = change_config(change_config(BASE, {"hindsight": OwnOptions()}), {"seed": 3})
    assert config.seed == 3
    assert isinstance(config.hindsight, OwnOptions)


@pytest.mark.parametrize("text", ["010", "007", "1:30", "1:30.5", "12:30:00", "-010"])
def test_what_looks_like_another_number_than_yaml_takes_it_for_is_text(text: str, tmp_path: Path) -> None:
    assert read_changes([], [f"run_name={text}"]) == [{"run_name": text}]
    file = tmp_path / "settings.yaml"
    file.write_text(f"seed: {text}\n")
    assert read_changes([file], []) == [{"seed": text}]


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("10", 10), ("-3", -3), ("0x10", 16), ("1_000", 1000), ("0.5", 0.5), ("1.5e3", 1500.0)],
)
def test_numbers_stay_numbers(text: str, number: float) -> None:
    assert read_changes([], [f"seed={text}"]) == [{"seed": number}]


def test_the_model_that_a_policy_began_with_is_found_through_its_runs(tmp_path: Path) -> None:
    places = {name: tmp_path / name for name in ("first", "second", "ring")}
    for name, began in (("first", "pocket"), ("second", places["first"] / "policy"), ("ring", places["ring"])):
        places[name].mkdir()
        (places[name] / "config.yaml").write_text(f"policy: {began}\n")
    assert first_policy("owner/name") == "owner/name"
    assert first_policy(str(places["second"])) == first_policy(str(places["second"] / "policy")) == "pocket"
    assert first_policy(str(places["ring"])) == str(places["ring"])
    assert first_policy("x" * 5000) == "x" * 5000


def test_a_run_whose_settings_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("policy: [\n")
    with pytest.raises(ConfigError, match=r"^config file: .*config.yaml: is not YAML"):
        first_policy(str(tmp_path))


@pytest.mark.parametrize(("name", "word"), [("trace", "off"), ("trace", "all"), ("run_name", "no")])
def test_words_that_only_an_older_yaml_takes_for_truth_values_are_words(name: str, word: str, tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(f"{name}: {word}\n")
    assert getattr(changed(f"{name}={word}"), name) == word
    config = change_config(BASE, *read_changes([path], None))
    assert getattr(config, name) == word
    path.write_text(dump_config(config))
    assert read_config(path) == config


def test_a_truth_value_is_true_or_false() -> None:
    assert changed("bf16=true").bf16 and not changed("bf16=False").bf16
    with pytest.raises(ConfigError, match="bf16: yes: "):
        changed("bf16=yes")
