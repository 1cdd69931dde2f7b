"""The configuration of a run: presets, YAML files and ``key=value`` arguments are merged, checked and written here."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, field_validator, model_validator

from backsight.cluster.options import ClusterConfig
from backsight.errors import ConfigError, border, nearest
from backsight.hindsight.catalogue import HindsightOptions
from backsight.policies.chat import OF_THE_CALL
from backsight.policies.config import AdapterConfig
from backsight.registry import Registry
from backsight.reports.run_folder import CONFIG, POLICY
from backsight.reports.trackers.base import TRACKERS
from backsight.rollouts.engines import EngineChoice, InProcessOptions
from backsight.settings import OneOf, Settings, by_name, group_of
from backsight.training.algorithms import ALGORITHMS
from backsight.training.config import TrainingConfig

MOST_VALUES = 10_000
"""Most values of a file of settings; aliases can blow up a few lines to more than fit into memory."""

_Fields = Mapping[str, Any]
_MARKED = ("'", '"', "[", "{", "!", "|", ">")
"""Beginnings of YAML values that are not plain words."""


class RunConfig(TrainingConfig):
    """Everything that a run depends on. Every preset holds one."""

    preset: str
    """What to learn: the name of a preset."""
    policy: str
    """The model that learns: a name such as ``pocket``, a model folder, a run folder, or a hub id."""
    adapter: AdapterConfig | None = None
    """A few new weights that are trained beside those of the model; None trains all of its own, or the adapter that it
    has already."""
    data: str | None = None
    """Training data: a file, a folder or a hub id; None takes what the preset makes itself."""
    eval_data: str | None = None
    """Data of the same kind to evaluate on; None keeps a part of `data` aside."""
    ood_data: str | None = None
    """Data from elsewhere to evaluate on."""
    long_prompts: Literal["refuse", "truncate"] = "refuse"
    """Treatment of a prompt that leaves no room for a completion: the run does not start, or words are left out (at the
    end of the user's text; of a dialogue the oldest turns), and the run says of how many items."""
    prompt_format: Literal["auto", "chat", "plain"] = "auto"
    """Form of the prompts: chat messages with an instruction, or plain text; `auto` takes messages where the model has
    a chat template."""
    instruction: str | None = None
    """Template of the user's message over the columns of a row, such as ``Translate into German: {source}``; None takes
    the preset's own."""
    system_prompt: str | None = None
    """Text of the system's message in chats; None leaves it to the chat template, or to the preset."""
    shots: Annotated[int, Field(ge=0, le=64)] | None = None
    """Number of solved examples from the train split in each prompt; None leaves it to the preset."""
    chat_template_kwargs: dict[str, Any] = {}
    """Settings of the model's chat template, such as ``{enable_thinking: false}``."""
    hindsight: HindsightOptions
    """The hindsight method, or several of them."""
    engine: EngineChoice = InProcessOptions()
    """The engine that generates the attempts."""
    cluster: ClusterConfig | None = None
    """The cluster that `backsight train` places the run on; None trains in this process, or those of torchrun."""
    report_to: Annotated[tuple[Annotated[str, OneOf(TRACKERS.names())], ...], Field(strict=False)] = ()
    """Programs that show the run besides: `tensorboard`, `wandb`, `trackio`."""
    output_dir: str = "runs"
    """The folder in which the run folder is made."""
    run_name: Annotated[str, Field(pattern=r"^\w[\w. -]*$")] | None = None
    """Name of the run folder; None takes preset and hindsight, numbered."""
    trust_remote_code: bool = False
    """Whether a model may bring code of its own. It runs with all your rights."""

    @property
    def default_run_name(self) -> str:
        preset = re.sub(r"[^\w.+-]+", "-", self.preset)
        return f"{preset}-{self.hindsight.label}"

    @field_validator("report_to", mode="before")
    @classmethod
    def _takes_one_name(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _groups_have_siblings(self) -> RunConfig:
        needs_siblings = ALGORITHMS[self.algorithm].compares_siblings and self.hindsight.learns_from_attempts
        if needs_siblings and self.num_generations < 2:
            raise ConfigError(
                "num_generations",
                self.num_generations,
                f"algorithm={self.algorithm} compares siblings; set it to 2 or more, or algorithm=reinforce",
            )
        return self

    @model_validator(mode="after")
    def _leaves_the_template_its_words(self) -> RunConfig:
        for key in self.chat_template_kwargs.keys() & OF_THE_CALL:
            value = self.chat_template_kwargs[key]
            raise ConfigError(f"chat_template_kwargs.{key}", value, "backsight sets it; leave it out")
        return self

    @model_validator(mode="after")
    def _samples_what_it_resamples(self) -> RunConfig:
        if self.max_resample_rounds and not self.hindsight.learns_from_attempts:
            remedy = f"{self.hindsight.label} samples no attempts; leave it out"
            raise ConfigError("max_resample_rounds", self.max_resample_rounds, remedy)
        return self

    @model_validator(mode="after")
    def _rounds_once(self) -> RunConfig:
        if self.bf16 and self.adapter is not None and self.adapter.quantize:
            raise ConfigError("bf16", True, "adapter.quantize computes in bfloat16 already; leave bf16 out")
        return self


def read_changes(files: Sequence[Path] | None, overrides: Sequence[str] | None) -> list[dict[str, Any]]:
    """Read the changes of YAML files, then of ``key=value``. Keys are dotted (``stop.max_steps=100``), values are YAML.

    Raises:
        ConfigError: when a file or a value cannot be read.
    """
    return [_read_yaml(path) for path in files or ()] + [_parse_override(override) for override in overrides or ()]


def change_config(config: RunConfig, *changes: Mapping[str, Any]) -> RunConfig:
    """Return the configuration with changes such as ``{"stop": {"max_steps": 100}}``; later ones override earlier ones.

    ``hindsight=relabel`` is short for ``hindsight.name=relabel``, likewise for ``adapter``, ``engine`` and ``cluster``.
    A change of name drops the options that the new choice does not have.

    Raises:
        ConfigError: when a key is unknown, or a value has the wrong type or range, or contradicts another.
    """
    fields = config.model_dump()
    # a choice stays an object, because a method of the user's own is known by no name
    fields |= {name: getattr(config, name) for name in fields if by_name(RunConfig, name)}
    for change in changes:
        fields = _merge(RunConfig, fields, change)
    if fields["preset"] != config.preset:
        raise ConfigError("preset", fields["preset"], f"is not {config.preset!r}; leave it out")
    return RunConfig.check(fields)


def read_config(path: Path) -> RunConfig:
    """Read a whole configuration, as `dump_config` wrote it.

    Raises:
        ConfigError: when it cannot be read, or another version of backsight wrote it; the message names the file.
    """
    settings = _read_yaml(path)
    try:
        return RunConfig.check(_merge(RunConfig, {}, settings))
    except ConfigError as error:
        raise ConfigError(error.field, error.value, f"{error.remedy} (in {path})") from error


def first_policy(policy: str) -> str:
    """Return the model that a policy began with: of a run, what its settings name, through any number of runs.

    Raises:
        ConfigError: when the settings of a run cannot be read.
    """
    known: set[Path] = set()
    while (settings := settings_of(Path(policy))) is not None and settings not in known:
        known.add(settings)
        policy = str(_read_yaml(settings).get("policy"))
    return policy


def config_of_run(policy: str) -> RunConfig | None:
    """Return the configuration of the run that a policy comes from; None if it comes from none.

    Raises:
        ConfigError: when it cannot be read.
    """
    settings = settings_of(Path(policy))
    return None if settings is None else read_config(settings)


def settings_of(place: Path) -> Path | None:
    """Return the file of settings of the run that a policy comes from; None for one that comes from no run."""
    run = place.parent if place.name == POLICY else place
    return run / CONFIG if os.path.isfile(run / CONFIG) else None  # of a name that no file can have, it says no


def resume_config(path: Path, overrides: Sequence[str]) -> RunConfig:
    """Read the configuration at `path`, with other stop conditions or another cluster; nothing else may change.

    Raises:
        ConfigError: when something else is to change, or a value does not fit.
    """
    for override in overrides:
        if not override.startswith(("stop.", "cluster.", "cluster=")):
            key, _, value = override.partition("=")
            raise ConfigError(key, value, "a run goes on as it began; only stop.* and cluster.* may change")
    return change_config(read_config(path), *read_changes([], overrides))


def dump_config(config: RunConfig) -> str:
    """Return YAML that loads back to the same configuration; the settings of the run come before those of training."""
    fields = config.model_dump()
    own = {name: fields.pop(name) for name in RunConfig.__annotations__}
    return yaml.dump(own | fields, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


class _Loader(yaml.SafeLoader):
    """A loader of YAML 1.1, plus two spellings that people type: 1e-5 is a number and none is null.

    Dates are text, and so are numbers with a leading zero or a colon, and the words on, off, yes and no.

    It refuses a key that stands twice in a mapping, and a document that aliases blow up beyond `MOST_VALUES`.
    """

    def get_single_node(self) -> yaml.Node | None:
        node: yaml.Node | None = super().get_single_node()
        if node is not None and _count_values(node, {}) > MOST_VALUES:
            raise yaml.YAMLError(f"its aliases stand for more than {MOST_VALUES} values; write fewer of them")
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if (key.tag, key.value) in seen:
                raise yaml.YAMLError(f"{key.value!r} stands twice, in line {key.start_mark.line + 1}; keep one of them")
            seen.add((key.tag, key.value))
        return node


_FORMS = {
    "tag:yaml.org,2002:bool": re.compile(r"(true|True|TRUE|false|False|FALSE)$"),
    "tag:yaml.org,2002:int": re.compile(r"[-+]?(0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|0b[01_]+)$"),
    "tag:yaml.org,2002:float": re.compile(
        r"([-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$"
    ),
}
"""Forms of truth values and numbers. What YAML 1.1 has on top means something else than it looks like: 010 is 8 in it,
1:30 is 90, and `off`, which is the name of a choice, is false."""

_Loader.yaml_implicit_resolvers = {
    first: [(tag, _FORMS.get(tag, form)) for tag, form in forms if tag != "tag:yaml.org,2002:timestamp"]
    for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _count_values(node: yaml.Node, known: dict[int, int]) -> int:
    """Count the values of a node with all aliases written out; a node within itself has more than any other."""
    if id(node) not in known:
        known[id(node)] = MOST_VALUES + 1
        members = node.value if isinstance(node, yaml.CollectionNode) else []
        parts = [part for member in members for part in (member if isinstance(member, tuple) else (member,))]
        known[id(node)] = 1 + sum(_count_values(part, known) for part in parts)
    return known[id(node)]


class _Dumper(yaml.SafeDumper):
    """A dumper that puts text which `_Loader` would read as something else into quotes."""


for _class in (_Loader, _Dumper):
    _class.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
    )
    _class.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("[Nn]one$"), list("Nn"))


def _read_yaml(path: Path) -> dict[str, Any]:
    def make_error(reason: str) -> ConfigError:
        return ConfigError("config file", path, f"is not YAML: {reason}")

    with border(lambda reason: ConfigError("config file", path, f"cannot be read ({reason}); name a YAML file")):
        if path.exists() and not path.is_file():
            raise ConfigError("config file", path, "is no file; name a YAML file")
        text = path.read_bytes()
    with border(make_error):
        fields = yaml.load(text, _Loader)
        _check_keys(fields, make_error)
    if not isinstance(fields, dict):
        raise ConfigError("config file", path, "holds no settings; write one 'key: value' a line")
    return fields


def _parse_override(override: str) -> dict[str, Any]:
    key, separator, text = override.partition("=")
    if not separator:
        raise ConfigError("override", override, "write it as key=value")
    value = _parse_value(key, text)
    for name in reversed(key.split(".")):
        value = {name: value}
    return dict(value)


def _parse_value(key: str, text: str) -> Any:
    """Return the value of a word of the command line. Text without quotes is taken as it stands, spaces and # included.

    Raises:
        ConfigError: when it is not YAML, or something stands behind a value in quotes or brackets.
    """

    def make_error(reason: str) -> ConfigError:
        return ConfigError(key, text, f"is not YAML; put it into quotes ({reason})")

    with border(make_error):
        loader = _Loader(text)
        node = loader.get_single_node()
        value = None if node is None else loader.construct_document(node)
        _check_keys(value, make_error)
    rest = text if node is None else text[node.end_mark.index :]
    if not text.lstrip().startswith(_MARKED):
        return text if isinstance(value, str) or rest.strip() else value
    if rest.strip():
        raise ConfigError(key, text, f"something stands behind it: {rest.strip()}; put all of it into quotes")
    return value


def _check_keys(value: object, make_error: Callable[[str], ConfigError]) -> None:
    """Raise an error for a key that is no text, such as a number, or what YAML takes ``yes`` and ``null`` for."""
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise make_error(f"the key {key!r} is no text; put it into quotes")
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_keys(each, make_error)


def _merge(settings: type[Settings], fields: _Fields, changes: _Fields) -> dict[str, Any]:
    """Return `fields` with `changes` over them, group by group."""
    merged = dict(fields)
    for key, change in changes.items():
        registry, group = by_name(settings, key), group_of(settings, key)
        if isinstance(change, Settings):
            change = change if registry else change.model_dump()
        elif registry is not None:
            change = _merge_choice(registry, merged.get(key) or {}, _spell_out(registry, change))
        elif group is not None and not (change is None and _may_be_none(settings, key)):
            if isinstance(change, str) and "name" in group.model_fields:
                change = {"name": change}
            if not isinstance(change, Mapping):
                names = ",".join(group.model_fields)
                raise ConfigError(key, change, f"holds several settings; set one of {key}.{{{names}}}")
            change = _merge(group, merged.get(key) or {}, change)
        merged[key] = change
    return merged


def _merge_choice(registry: Registry[type[Settings]], fields: Any, changes: _Fields) -> dict[str, Any]:
    """Merge a group that is chosen by name. Another name drops the options that the new choice does not have."""
    known = fields.model_dump() if isinstance(fields, Settings) else dict(fields)
    name = changes.get("name", known.get("name"))
    chosen = registry.find(str(name))
    if name != known.get("name"):
        known = {key: value for key, value in known.items() if key in chosen.model_fields}
    return _merge(chosen, known, changes)


def _spell_out(registry: Registry[type[Settings]], change: object) -> dict[str, Any]:
    """Write out the short forms of a choice: its name alone, or a list of choices to combine."""
    if isinstance(change, str):
        return {"name": change}
    if isinstance(change, Mapping):
        return dict(change)
    if registry.together is None:
        raise ConfigError(registry.field, change, f"is no choice; {nearest('', registry.names())}")
    parts = change if isinstance(change, list | tuple) else ()
    if parts and all(isinstance(each, str | Mapping | Settings) for each in parts):
        return {"name": registry.together, "methods": tuple(parts)}
    remedy = f"is no choice and no list of choices; write it like {registry.field}='[outcome, {{name: relabel}}]'"
    raise ConfigError(registry.field, change, remedy)


def _may_be_none(settings: type[Settings], field: str) -> bool:
    return settings.model_fields[field].default is None
