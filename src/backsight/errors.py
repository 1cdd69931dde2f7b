"""All errors that backsight raises for its users.

    BacksightError                     anything a user can put right; the command line exits with 2
    ├── ConfigError       (ValueError)   a setting is unknown, malformed or contradicts another
    ├── DataError         (ValueError)   a data file or row cannot be used
    ├── ModelError        (ValueError)   a model folder, tokenizer or module does not fit
    │   └── DivergedError                its training broke in several steps in a row; the last whole policy was kept
    ├── SpaceError        (TypeError)    a Gymnasium space does not fit the policy
    ├── RewardError       (RuntimeError) a reward function, a judge or an environment broke its contract
    ├── EngineError       (RuntimeError) the server of an engine refuses, fails, or cannot be reached
    ├── RunFolderError    (OSError)      a run folder is taken, missing or damaged
    ├── HubError          (RuntimeError) the Hugging Face hub refuses, or cannot be reached
    └── RankError         (RuntimeError) a process that learns together with this one has ended, or never came

Every message names the field, the value and the remedy, in that order and in one line; the command line leaves words
out of a long one (`one_line`). To add an error,
add a class here, derive it from the built-in exception it refines, and put it into the drawing. What a library throws
becomes one of these errors at the border of the room that calls it: `border`.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

LONGEST = 290
"""Most characters of a line on the terminal: with ``error: `` before it, it stays under 300."""
LONGEST_FIELD, LONGEST_VALUE, SHORTEST_VALUE, LONGEST_REASON = 80, 200, 40, 120

_JOINERS = "\u200c\u200d"


class BacksightError(Exception):
    """An error in the user's input: which field, what it held, and what to do about it."""

    def __init__(self, field: str, value: object, remedy: str) -> None:
        self.field = field
        self.value = value
        self.remedy = remedy
        super().__init__(f"{_clean(field)}: {_cut_end(_clean(value), LONGEST_VALUE)}: {_clean(remedy)}")

    def __reduce__(self) -> tuple[type[BacksightError], tuple[str, str, str]]:  # to other processes it goes as text
        return type(self), (self.field, _clean(self.value), self.remedy)


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


class EngineError(BacksightError, RuntimeError):
    """A server of an engine that refuses, fails, or cannot be reached."""


class RunFolderError(BacksightError, OSError):
    """A run folder that is taken, missing or damaged."""

    def __str__(self) -> str:  # OSError would print its arguments as an errno pair
        return str(self.args[0])


class HubError(BacksightError, RuntimeError):
    """A refusal of the Hugging Face hub, or a hub that cannot be reached."""


class RankError(BacksightError, RuntimeError):
    """A process that learns together with this one, and has ended or never came."""


def describe(error: BaseException) -> str:
    """Return in words what foreign code raised, whatever its exception does when it is asked for its text."""
    if isinstance(error, SystemExit):
        return f"called sys.exit({shown(error.code)})"
    try:
        text = str(error)
    except (Exception, SystemExit):
        text = ""
    return f"raised {type(error).__name__}: {text}".rstrip(": ")


def shown(value: object) -> str:
    """Return how a foreign object is written, its beginning if that is long, or what it is if it cannot be written."""
    try:
        return _cut_end(repr(value), 80)
    except (Exception, SystemExit):
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


@contextmanager
def border(make_error: Callable[[str], BacksightError]) -> Iterator[None]:
    """Turn whatever a library throws inside the block into one of our errors.

    Args:
        make_error: a function from the reason, in a few words, to the error to raise.
    """
    try:
        yield
    except (BacksightError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # libraries in Rust panic with classes that are no `Exception`
        raise make_error(reason(error)) from error


def reason(error: BaseException) -> str:
    """Return in a few words why a library gave up."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = _clean(error)
    if not text or (type(error).__module__ == "builtins" and not isinstance(error, OSError | ValueError)):
        text = f"{type(error).__name__}: {text}".removesuffix(": ")  # alone, a KeyError is no more than the key
    return _cut_middle(text, LONGEST_REASON)


def one_line(field: object, value: object, remedy: str) -> str:
    """Write an error in one line of at most `LONGEST` characters: first the value is cut, then the remedy."""
    field, value, remedy = _cut_middle(_clean(field), LONGEST_FIELD), _clean(value), _clean(remedy)
    room = LONGEST - len(field) - len(": : ")
    value = _cut_end(value, max(SHORTEST_VALUE, min(LONGEST_VALUE, room - len(remedy))))
    return f"{field}: {value}: {_cut_middle(remedy, room - len(value))}"


def _clean(value: object) -> str:
    """Return the text of a value in one line, with characters that a terminal would obey written out."""
    try:
        text = " ".join(str(value).split())
    except (Exception, SystemExit):  # whoever wrote the value may have forgotten that it can be printed
        text = f"a {type(value).__name__} that cannot be shown"
    return printable(text)


def _cut_end(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _cut_middle(text: str, limit: int) -> str:
    """Leave words out in the middle: how a text begins and how it ends says most."""
    if len(text) <= limit:
        return text
    end = (limit - 1) // 3
    return f"{text[: limit - 1 - end]}…{text[-end:]}"
