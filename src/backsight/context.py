"""Values that hold inside a block of code, and in what is called there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

_T = TypeVar("_T")


@contextmanager
def holding(variable: ContextVar[_T], value: _T) -> Iterator[None]:
    """Let the variable have this value inside the block, and what it had before behind it."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)
