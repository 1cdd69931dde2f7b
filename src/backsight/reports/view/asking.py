"""Questions that take minutes: one at a time, in a thread of its own, while the page goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backsight.errors import BacksightError, ConfigError, one_line, reason
from backsight.reports.packed_lines import Row


@dataclass(frozen=True, slots=True)
class Explainers:
    """Functions that answer questions about a run with values of JSON. They may take minutes."""

    answer: Callable[[Path, str, str], Row]
    """From run folder, prompt and completion to the attempts that made the completion more or less likely."""
    attempt: Callable[[Path, int, int, int], Row]
    """From run folder, step, group and attempt to what its feedback says of each token."""


class Desk:
    """Where questions are asked, and the answer to the last one lies."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state: Row = {"number": 0, "state": "idle"}
        self._began = 0.0

    def ask(self, question: Callable[[], Row]) -> Row:
        """Begin to answer a question, and return the state of things.

        Raises:
            ConfigError: when another question is being answered.
        """
        with self._lock:
            if self._state["state"] == "working":
                raise ConfigError("question", "asked", "another one is being answered; wait until it is")
            self._state = {"number": self._state["number"] + 1, "state": "working"}
            self._began = time.monotonic()
        threading.Thread(target=self._answer, args=(question,), name="explaining", daemon=True).start()
        return self.state()

    def state(self) -> Row:
        """Return the number of the last question, and its answer or what went wrong."""
        with self._lock:
            is_working = self._state["state"] == "working"
            return {**self._state, **({"seconds": round(time.monotonic() - self._began)} if is_working else {})}

    def _answer(self, question: Callable[[], Row]) -> None:
        found: dict[str, Any]
        try:
            found = {"state": "done", "result": question()}
        except BacksightError as error:
            found = {"state": "failed", "error": one_line(error.field, error.value, error.remedy)}
        except Exception as error:
            found = {"state": "failed", "error": f"a fault of backsight itself: {reason(error)}"}
        with self._lock:
            self._state = {"number": self._state["number"], **found}
