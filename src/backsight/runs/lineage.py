"""The models that a policy comes from: runs before this one, and the model that somebody else made.

Names only: what is said of them leaves the machine with the policy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from backsight.config import read_changes, settings_of
from backsight.errors import BacksightError
from backsight.policies import adapters
from backsight.reports.model_card import CARD
from backsight.runs.start import place_of_policy

UNKNOWN = "unknown"
"""The hub's word for a licence that nobody has stated."""
LICENSE_FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE")
_LICENSES = {"apache-2.0": r"Apache License\s+Version 2\.0", "mit": r"MIT License"}
"""Beginnings of licences by the hub's word for them."""
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, slots=True)
class Base:
    """The model at the beginning of a line of runs."""

    name: str
    hub_id: str | None
    """Its id on the hub, or that of the model which it says it was made from; None when it is not known."""
    license: str


def chain_of_bases(policy: str) -> list[str]:
    """Return where a policy was opened from, by name, then where that one came from, and so on to the beginning.

    The chain ends early where a run folder is not there any more.
    """
    return [_name(place) for place in _chain(policy)]


def find_base(policy: str) -> Base:
    """Return what is known of the model at the beginning of the chain."""
    place = list(_chain(policy))[-1]
    folder = _folder(place)
    card = {} if folder is None else _metadata(folder)
    origin = card.get("base_model")
    hub_id = place if _is_of_hub(place) else origin if isinstance(origin, str) else None
    return Base(_name(place), hub_id, _license(folder, card))


def _chain(policy: str) -> Iterator[str]:
    seen: set[str] = set()
    place: str | None = policy
    while place is not None and place not in seen:
        yield place
        seen.add(place)
        place = _opened_from(place)


def _opened_from(place: str) -> str | None:
    """Return what the policy of a run folder, or an adapter, was made from; None for a model that says nothing."""
    if (settings := settings_of(Path(place))) is not None:
        return _policy_of(settings)
    try:
        base = adapters.base_of(place)
    except (BacksightError, OSError):  # it is not there any more
        return None
    return None if base == place else base


def _policy_of(file: Path) -> str | None:
    try:
        (settings,) = read_changes([file], None)
    except BacksightError:
        return None
    policy = settings.get("policy")
    return policy if isinstance(policy, str) else None


def _name(place: str) -> str:
    """Return the name of a model without the folders that it lies in."""
    folder = Path(place)
    if (settings := settings_of(folder)) is not None:
        return f"run {settings.parent.resolve().name}"
    return place if _is_of_hub(place) else folder.resolve().name if folder.is_dir() else folder.name


def _is_of_hub(place: str) -> bool:
    """Return whether this is the id of a model that was downloaded: a folder that is gone looks the same."""
    return (
        _HUB_ID.fullmatch(place) is not None and not Path(place).exists() and _cached(place, "config.json") is not None
    )


def _cached(hub_id: str, file: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(hub_id, file)
    return Path(found) if isinstance(found, str) else None


def _folder(place: str) -> Path | None:
    """Return the folder in which the files of a model lie, of one of the hub its cache; None without one."""
    if _is_of_hub(place):
        config = _cached(place, "config.json")
        return None if config is None else config.parent
    try:
        folder = Path(place_of_policy(place))
    except (BacksightError, OSError):
        return None
    return folder if folder.is_dir() else None


def _metadata(folder: Path) -> dict[str, Any]:
    """Return the front matter of the card in a folder; nothing without one that can be read."""
    from huggingface_hub import metadata_load

    try:
        return metadata_load(folder / CARD) or {}
    except (OSError, ValueError, yaml.YAMLError):
        return {}


def _license(folder: Path | None, card: dict[str, Any]) -> str:
    stated = card.get("license")
    if isinstance(stated, str) and stated:
        return stated
    for file in (folder / name for name in LICENSE_FILES) if folder is not None else ():
        with suppress(OSError):
            text = file.read_text(encoding="utf-8", errors="replace")[:1000]
            return next((word for word, form in _LICENSES.items() if re.search(form, text)), "other")
    return UNKNOWN
