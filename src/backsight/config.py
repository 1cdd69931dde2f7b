"""The configuration of a run: presets, YAML files and ``key=value``, merged, checked, written down."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import Field, ValidationError, model_validator

from backsight.errors import ConfigError, nearest
from backsight.hindsight.config import HindsightConfig, label, samples
from backsight.policies.config import AdapterConfig
from backsight.settings import Settings
from backsight.training.config import TrainingConfig

_Fields = Mapping[str, Any]


class RunConfig(TrainingConfig):
    """Everything a run depends on. A preset is a function that returns one."""

    preset: str
    """What to learn: the name of a preset."""
    policy: str
    """What learns: ``pocket``, a folder with a model, or a hub id."""
    adapter: AdapterConfig | None = None
    """Train few new weights beside those of the model; None: all of its own, or the adapter that it has already."""
    data: str | None = None
    """Training data: a file, a folder or a hub id; None: what the preset makes itself."""
    eval_data: str | None = None
    """Data of the same kind to evaluate on; None: a part of `data` that is kept aside."""
    ood_data: str | None = None
    """Data from elsewhere to evaluate on."""
    long_prompts: Literal["refuse", "truncate"] = "refuse"
    """What becomes of a prompt that leaves no room for a completion: the run does not start, or words are left out (at
    the end of the user's text; of a dialogue the oldest turns), and the run says of how many items."""
    hindsight: HindsightConfig
    output_dir: str = "runs"
    """Where the run folder is made."""
    run_name: Annotated[str, Field(pattern=r"^\w[\w. -]*$")] | None = None
    """Name of the run folder; None: preset and hindsight, numbered."""
    trust_remote_code: bool = False
    """Whether a model may bring code of its own. It runs with all your rights."""

    @property
    def default_run_name(self) -> str:
        preset = re.sub(r"[^\w.+-]+", "-", self.preset)
        return f"{preset}-{label(self.hindsight)}"

    @model_validator(mode="after")
    def _groups_have_siblings(self) -> RunConfig:
        needs_siblings = self.algorithm not in ("reinforce", "ppo") and samples(self.hindsight)
        if needs_siblings and self.num_generations < 2:
            raise ConfigError(
                "num_generations",
                self.num_generations,
                f"algorithm={self.algorithm} compares siblings; set it to 2 or more, or algorithm=reinforce",
            )
        return self

    @model_validator(mode="after")
    def _rounds_once(self) -> RunConfig:
        if self.bf16 and self.adapter is not None and self.adapter.quantize:
            raise ConfigError("bf16", True, "adapter.quantize computes in bfloat16 already; leave bf16 out")
        return self


def read_changes(files: Sequence[Path], overrides: Sequence[str]) -> list[dict[str, Any]]:
    """What YAML files and then ``key=value`` change. Keys are dotted (``stop.max_steps=100``); values are read as YAML.

    Raises:
        ConfigError: a file or a value cannot be read.
    """
    return [_read_yaml(path) for path in files] + [_parse_override(override) for override in overrides]


def change_config(config: RunConfig, *changes: Mapping[str, Any]) -> RunConfig:
    """The configuration with these changes, each over the one before: ``{"stop": {"max_steps": 100}}``.

    ``hindsight=relabel`` is short for ``hindsight.name=relabel``, and so with ``adapter``; a change of name drops the
    options that the new choice does not have.

    Raises:
        ConfigError: a key is unknown; a value has the wrong type or range, or contradicts another.
    """
    fields = config.model_dump()
    for change in changes:
        fields = _merged(RunConfig, fields, change)
    if fields["preset"] != config.preset:
        raise ConfigError("preset", fields["preset"], f"is not {config.preset!r}; leave it out")
    return _checked(fields)


def read_config(path: Path) -> RunConfig:
    """A whole configuration, as `dump_config` wrote it."""
    return _checked(_merged(RunConfig, {}, _read_yaml(path)))


def resume_config(path: Path, overrides: Sequence[str]) -> RunConfig:
    """The configuration at `path`, with other stop conditions; nothing else of a run may change."""
    for override in overrides:
        if not override.startswith("stop."):
            key, _, value = override.partition("=")
            raise ConfigError(key, value, "a run goes on as it began; only stop.* may change")
    return change_config(read_config(path), *read_changes([], overrides))


def dump_config(config: RunConfig) -> str:
    """YAML that loads back to the same configuration; the settings of the run come before the loop's."""
    fields = config.model_dump()
    own = {name: fields.pop(name) for name in RunConfig.__annotations__}
    return yaml.dump(own | fields, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


class _Loader(yaml.SafeLoader):
    """YAML 1.1, plus the two spellings that people type: 1e-5 is a number and none is nothing."""


class _Dumper(yaml.SafeDumper):
    """Puts text that `_Loader` would read as something else into quotes."""


for _class in (_Loader, _Dumper):
    _class.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
    )
    _class.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("[Nn]one$"), list("Nn"))


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        fields = yaml.load(path.read_bytes(), _Loader)
    except OSError as error:
        raise ConfigError("config file", path, f"cannot be read ({error.strerror})") from error
    except yaml.YAMLError as error:
        raise ConfigError("config file", path, f"is not YAML: {_one_line(error)}") from error
    if not isinstance(fields, dict):
        raise ConfigError("config file", path, "holds no settings; write one 'key: value' a line")
    return fields


def _parse_override(override: str) -> dict[str, Any]:
    key, separator, text = override.partition("=")
    if not separator:
        raise ConfigError("override", override, "write it as key=value")
    try:
        value = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ConfigError(key, text, f"is not YAML; put it into quotes ({_one_line(error)})") from error
    for name in reversed(key.split(".")):
        value = {name: value}
    return dict(value)


def _one_line(error: yaml.YAMLError) -> str:
    return " ".join(str(error).split())


def _merged(settings: type[Settings], fields: _Fields, changes: _Fields) -> dict[str, Any]:
    """`fields` with `changes` over them, group by group."""
    merged = dict(fields)
    for key, change in changes.items():
        choices = _choices(settings, key)
        if isinstance(change, Settings):
            change = change.model_dump()
        elif _is_named(choices):
            change = _spelled_out(key, change)
        if change is None and _may_be_none(settings, key):
            choices = []
        if choices and not isinstance(change, Mapping):
            raise ConfigError(key, change, f"holds several settings; set one of {key}.{{{_names(choices)}}}")
        if choices:
            change = _merged_choice(choices, merged.get(key) or {}, change)
        merged[key] = change
    return merged


def _spelled_out(key: str, change: object) -> object:
    """A choice by its name alone; a list of choices, which are made together; a choice within a choice."""
    if isinstance(change, str):
        return {"name": change}
    if isinstance(change, Settings):
        return change.model_dump()
    if isinstance(change, list | tuple):
        if not change or not all(isinstance(each, str | Mapping | Settings) for each in change):
            remedy = f"is no list of choices; write it like {key}='[outcome, {{name: relabel}}]'"
            raise ConfigError(key, list(change), remedy)
        return {"name": "chain", "methods": [_spelled_out(key, each) for each in change]}
    if isinstance(change, Mapping):
        return {name: _spelled_out(key, value) if name in _NESTED else value for name, value in change.items()}
    return change


_NESTED = ("then", "otherwise")
"""Settings of a choice that are choices themselves."""


def _merged_choice(choices: Sequence[type[Settings]], fields: _Fields, changes: _Fields) -> dict[str, Any]:
    """The same for a group, which may be a choice by name. Another name drops what it has no use for."""
    chosen = choices[0]
    if len(choices) > 1:
        name = changes.get("name", fields.get("name"))
        chosen = next((choice for choice in choices if choice.model_fields["name"].default == name), chosen)
        if name != fields.get("name"):
            fields = {key: value for key, value in fields.items() if key in chosen.model_fields}
    return _merged(chosen, fields, changes)


def _choices(settings: type[Settings], field: str) -> list[type[Settings]]:
    """The classes a field may hold: none for a plain value, one for a group, several for a choice by name."""
    if field not in settings.model_fields:
        return []
    annotation = settings.model_fields[field].annotation
    options = get_args(annotation) or (annotation,)
    return [option for option in options if isinstance(option, type) and issubclass(option, Settings)]


def _is_named(choices: Sequence[type[Settings]]) -> bool:
    """Whether the name alone says the rest: hindsight=relabel."""
    return any("name" in choice.model_fields for choice in choices)


def _may_be_none(settings: type[Settings], field: str) -> bool:
    return field in settings.model_fields and type(None) in get_args(settings.model_fields[field].annotation)


def _names(choices: Sequence[type[Settings]]) -> str:
    return ",".join(dict.fromkeys(name for choice in choices for name in choice.model_fields))


def _known_keys(settings: type[Settings], prefix: str = "") -> Iterator[str]:
    for field in settings.model_fields:
        choices = _choices(settings, field)
        if len(choices) != 1 or _is_named(choices):
            yield prefix + field
        for choice in choices:
            yield from _known_keys(choice, f"{prefix}{field}.")


def _checked(fields: _Fields) -> RunConfig:
    try:
        return RunConfig.model_validate(fields)
    except ValidationError as error:
        details: Mapping[str, Any] = error.errors()[0]
        raise _config_error(details) from error


def _config_error(details: Mapping[str, Any]) -> ConfigError:
    """The first of pydantic's complaints, as one line that names the key, the value and the remedy."""
    context, value, kind = details.get("ctx", {}), details["input"], details["type"]
    cause = context.get("error")
    if isinstance(cause, ConfigError):
        return cause
    location = [str(part) for part in details["loc"]]
    if len(_choices(RunConfig, location[0])) > 1:
        del location[1:2]  # pydantic names the choice there
    key = ".".join(location)
    match kind:
        case "extra_forbidden":
            return _unknown(key, value)
        case "missing":
            return ConfigError(key, "missing", "is needed; set it")
        case "literal_error":
            return ConfigError(key, value, nearest(str(value), re.findall(r"'(.*?)'", context["expected"])))
        case "union_tag_invalid":
            names = re.findall(r"'(.*?)'", context["expected_tags"])
            return ConfigError(f"{key}.name", context["tag"], nearest(context["tag"], names))
        case "tuple_type":
            return ConfigError(key, value, f"must be a list: {key}='[\"…\"]'")
        case "string_type":
            return ConfigError(key, value, f"must be text; put it into quotes: {key}='\"…\"'")
        case _:
            return ConfigError(key, value, re.sub("^(Input|String) should", "must", details["msg"]))


def _unknown(key: str, value: object) -> ConfigError:
    while isinstance(value, Mapping) and value:  # as far down as the user wrote it
        name, value = next(iter(value.items()))
        key = f"{key}.{name}"
    known = set(_known_keys(RunConfig))
    if key in known:
        group = key.partition(".")[0]
        return ConfigError(key, value, f"belongs to another choice of {group}; leave it out")
    return ConfigError(key, value, f"unknown; {nearest(key, known)}")
