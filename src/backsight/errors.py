"""All errors that backsight raises for its users.

    BacksightError                     anything a user can put right; the command line exits with 2
    ├── ConfigError       (ValueError)   a setting is unknown, malformed or contradicts another
    ├── DataError         (ValueError)   a data file or row cannot be used
    ├── ModelError        (ValueError)   a model folder, tokenizer or module does not fit
    │   └── DivergedError                its training broke in several steps in a row; the last whole policy was kept
    ├── SpaceError        (TypeError)    a Gymnasium space does not fit the policy
    ├── RewardError       (RuntimeError) a reward function, a judge or an environment broke its contract
    └── RunFolderError    (OSError)      a run folder is taken, missing or damaged

Every message names the field, the value and the remedy, in that order and in one line. To add an error,
add a class here, derive it from the built-in exception it refines, and put it into the drawing.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable

_JOINERS = "\u200c\u200d"


class BacksightError(Exception):
    """An error in the user's input: which field, what it held, and what to do about it."""

    def __init__(self, field: str, value: object, remedy: str) -> None:
        self.field = field
        self.value = value
        self.remedy = remedy
        super().__init__(printable(re.sub(r"\s*[\t\n\r]\s*", " ", f"{field}: {_shorten(value)}: {remedy}")))


class ConfigError(BacksightError, ValueError):
    """A setting that is unknown, malformed or contradicts another."""


class DataError(BacksightError, ValueError):
    """A data file or row that cannot be used."""


class ModelError(BacksightError, ValueError):
    """A model folder, a tokenizer or a module that does not fit."""


class DivergedError(ModelError):
    """A training that broke in several steps in a row. The policy is the last whole one."""


class SpaceError(BacksightError, TypeError):
    """A Gymnasium space that does not fit the policy."""


class RewardError(BacksightError, RuntimeError):
    """A reward function, a judge or an environment that broke its contract."""


class RunFolderError(BacksightError, OSError):
    """A run folder that is taken, missing or damaged."""

    def __str__(self) -> str:  # OSError would print its arguments as an errno pair
        return str(self.args[0])


def describe(error: BaseException) -> str:
    """Return in words what foreign code raised, whatever its exception does when it is asked for its text."""
    if isinstance(error, SystemExit):
        return f"called sys.exit({shown(error.code)})"
    try:
        text = str(error)
    except Exception:
        text = ""
    return f"raised {type(error).__name__}: {text}".rstrip(": ")


def shown(value: object) -> str:
    """Return how a foreign object is written, its beginning if that is long, or what it is if it cannot be written."""
    try:
        return _shorten(repr(value), limit=80)
    except Exception:
        return f"a {type(value).__name__} that cannot be shown"


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a remedy for an unknown name: the nearest known one, or all of them when none is near."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"known: {', '.join(names)}"


def printable(text: str) -> str:
    """Return a text with control characters written out, such as ``\\x1b``: in a terminal they are commands.

    So are those that reverse the direction of writing; the two that join letters of many scripts stay.
    """
    if text.isprintable():
        return text
    return "".join(map(_written_out, text))


def _written_out(character: str) -> str:
    is_text = character.isprintable() or character in _JOINERS or unicodedata.category(character) == "Zs"
    return character if is_text else character.encode("unicode_escape").decode("ascii")


def _shorten(value: object, limit: int = 200) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
