"""Options behind the name of a preset: ``chain_sum,max_terms=3``."""

from __future__ import annotations

from typing import Any

from backsight.errors import ConfigError


def parse_name(kind: str, text: str) -> tuple[str, dict[str, Any]]:
    """Parse a name and its options from a text like ``chain_sum,max_terms=3``; `kind` says in messages of what.

    Raises:
        ConfigError: when an option has no value, or two.
    """
    name, *pairs = text.split(",")
    options: dict[str, Any] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise ConfigError(f"{kind} option", pair, "write it as name=value")
        if key in options:
            raise ConfigError(f"{kind} option", pair, f"{key} stands there twice; keep one of them")
        options[key] = _value(value)
    return name, options


def _value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text
