"""The base class of all settings. Each class of settings stands beside what it configures; `config.py` joins them.

An error that pydantic finds becomes one `ConfigError` with the key, the value and the remedy.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from backsight.errors import ConfigError, nearest
from backsight.registry import Registry

SMALLEST, LARGEST = 1e-30, 1e9
"""Least and largest size of a number with a fraction: a run computes in float32, and clocks count so far."""
LARGEST_COUNT = 2**63 - 1


class Settings(BaseModel):
    """A group of values that cannot change after they were checked; an unknown name is an error.

    The string under a field is its description. `strict` keeps ``num_generations=true`` from meaning 1.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    def __init__(self, **values: Any) -> None:
        """Check the values.

        Raises:
            ConfigError: when a value is wrong; the message names the first one.
        """
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _explain(type(self), error) from error

    @model_validator(mode="before")
    @classmethod
    def _take_plain_values(cls, fields: Any) -> Any:
        return {key: _plain(value) for key, value in fields.items()} if isinstance(fields, Mapping) else fields

    # lets pydantic validate nested settings without this constructor, so that it knows the keys that lead to them
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @field_validator("*", mode="after")
    @classmethod
    def _can_be_used(cls, value: Any) -> Any:
        """Refuse numbers that no run can compute with, and text that no file can hold."""
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, float) and each and not SMALLEST <= abs(each) <= LARGEST:
                raise PydanticCustomError("size", f"must be 0, or between {SMALLEST:g} and {LARGEST:g}")
            if isinstance(each, int) and abs(each) > LARGEST_COUNT:
                raise PydanticCustomError("size", "must be below 2**63")
            if isinstance(each, str) and ("\0" in each or not _is_unicode(each)):
                raise PydanticCustomError("text", "holds characters that no file can hold; leave them out")
        return value

    @classmethod
    def check(cls, fields: Mapping[str, Any], prefix: str = "") -> Self:
        """Make the settings from a dictionary; `prefix` is put before the keys in messages.

        Raises:
            ConfigError: when a key is unknown or missing, or a value has the wrong type or range, or contradicts
                another.
        """
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            raise _explain(cls, error, prefix) from error


def _plain(value: Any) -> Any:
    """Return a path as text, and a number of another library as Python's."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Decimal):
        is_whole = value.is_finite() and value == value.to_integral_value()
        return int(value) if is_whole else float(value)
    return plain_value(value)


def plain_value(value: Any) -> Any:
    """Return a single number or text of numpy or torch as Python's, and everything else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


class OneOf:
    """A mark for a text field that holds one of some names. The message on a wrong one suggests the nearest."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_after_validator_function(self._check, handler(source))

    def _check(self, value: str, info: ValidationInfo) -> str:
        if value not in self.names:
            raise ConfigError(info.field_name or "value", value, nearest(value, self.names))
        return value


class ByName:
    """A mark for a field that holds one of several classes of settings, chosen by their field `name`.

    ``Annotated[SerializeAsAny[EngineOptions], ByName(ENGINES)]`` takes an object of such a class, a dictionary with a
    `name`, or the name alone.
    """

    def __init__(self, registry: Registry[Any]) -> None:
        self.registry = registry

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._build, handler(source))

    def _build(self, value: object) -> object:
        if isinstance(value, str):
            value = {"name": value}
        if not isinstance(value, Mapping):
            return value
        field, name = self.registry.field, value.get("name")
        if not isinstance(name, str):
            raise ConfigError(f"{field}.name", name, f"name a choice; {nearest('', self.registry.names())}")
        settings = self.registry.find(name)
        for key in value.keys() - settings.model_fields.keys():
            raise ConfigError(f"{field}.{key}", value[key], self._remedy(key, name))
        return settings.check(value, prefix=f"{field}.")

    def _remedy(self, key: str, name: str) -> str:
        """Return what to do about an option that the choice does not have: another may have it, or one like it."""
        options = {each: self.registry.find(each).model_fields for each in self.registry.names()}
        if owners := [each for each, own in options.items() if key in own]:
            return f"is an option of {', '.join(owners[:3])}, not of {name}; leave it out"
        known = [f"{self.registry.field}.{option}" for own in options.values() for option in own]
        return f"unknown; {nearest(f'{self.registry.field}.{key}', set(known))}"


def by_name(settings: type[Settings], field: str) -> Registry[type[Settings]] | None:
    """Return the choices of a field that is chosen by name; None for any other field."""
    if field not in settings.model_fields:
        return None
    marks = [each for each in settings.model_fields[field].metadata if isinstance(each, ByName)]
    return marks[0].registry if marks else None


def group_of(settings: type[Settings], field: str) -> type[Settings] | None:
    """Return the class of a field that holds settings of one class; None for any other field."""
    if field not in settings.model_fields or by_name(settings, field) is not None:
        return None
    annotation = settings.model_fields[field].annotation
    options = get_args(annotation) or (annotation,)
    return next((each for each in options if isinstance(each, type) and issubclass(each, Settings)), None)


def known_keys(settings: type[Settings], prefix: str = "") -> Iterator[str]:
    """Yield all dotted keys, those of every choice included."""
    for field in settings.model_fields:
        registry, group = by_name(settings, field), group_of(settings, field)
        if group is None or "name" in group.model_fields:
            yield prefix + field
        classes = [registry.find(name) for name in registry.names()] if registry else [group] if group else []
        for own in classes:
            if own is not settings and not any(by_name(own, each) for each in own.model_fields):
                yield from known_keys(own, f"{prefix}{field}.")


def _is_unicode(text: str) -> bool:
    """Return whether a text can be written: half of a surrogate pair cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _explain(settings: type[Settings], error: ValidationError, prefix: str = "") -> ConfigError:
    """Turn the first of pydantic's complaints into one line that names the key, the value and the remedy."""
    details: Mapping[str, Any] = error.errors()[0]
    context, value, kind = details.get("ctx", {}), details["input"], details["type"]
    if isinstance(cause := context.get("error"), ConfigError):
        return cause
    path = [str(part) for part in details["loc"]]
    key = prefix + ".".join(path)
    match kind:
        case "extra_forbidden":
            return _unknown(settings, prefix, path, value)
        case "missing":
            return ConfigError(key, "missing", "is needed; set it")
        case "literal_error":
            return ConfigError(key, value, nearest(str(value), re.findall(r"'(.*?)'", context["expected"])))
        case "tuple_type":
            return ConfigError(key, value, f"must be a list: {key}='[\"…\"]'")
        case "too_short":
            return ConfigError(key, value, f"is empty; name at least {context['min_length']}")
        case "string_type":
            return ConfigError(key, value, f"must be text; put it into quotes: {key}='\"…\"'")
        case _:
            return ConfigError(key, value, re.sub("^(Input|String) should", "must", details["msg"]))


def _unknown(settings: type[Settings], prefix: str, path: Sequence[str], value: object) -> ConfigError:
    key = ".".join(path)
    while isinstance(value, Mapping) and value:  # down to the last key that the user wrote
        name, value = next(iter(value.items()))
        key = f"{key}.{name}"
    known = [prefix + each for each in known_keys(settings)]
    return ConfigError(prefix + key, value, f"unknown; {nearest(prefix + key, known)}")
