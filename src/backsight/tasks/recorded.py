"""The base class of tasks whose rows are logs of what was once said and judged, and not prompts to try.

An item's target is what was said, good or bad. Its columns hold what became known afterwards: `reward`, `feedback`,
`correction`, and `reward_mean`, the mean of all rewards of the train split; each is None where it is not known.
"""

from __future__ import annotations

import copy
import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from statistics import fmean
from typing import Any, Self

from backsight.errors import DataError, nearest
from backsight.settings import plain_value
from backsight.tasks.base import Item, PromptTask
from backsight.tasks.cells import Row, read_numbered_rows
from backsight.tasks.forms import INSTRUCTION, PLAIN, SHOTS, PromptForm
from backsight.tasks.overlap import likeness
from backsight.tasks.rows import without_test
from backsight.tasks.tables import Source, source_by_split, source_name
from backsight.types import Feedback, Observation

_TRUTHS = {"true": 1.0, "false": 0.0}


class RecordedTask(PromptTask):
    """A task of turns from logs, for the method `recorded`.

    `data` becomes the train split. Without `test`, about a tenth of it is held back: the side depends on how a
    conversation begins, so that conversations that begin alike stay together. `ood` is only evaluated.

    There are two kinds of evaluation splits. ``test`` (and ``ood``) hold every turn, to compare likelihoods.
    ``test_good`` (and ``ood_good``) hold the turns whose good reply is known: only for those can a fresh reply be
    scored, by the words it shares with the good one (F1). Only the second kind is in `eval_splits`.

    Raises:
        DataError: when a source cannot be read, a row cannot be used, or a split has no judged turn.
    """

    metrics = ("overlap", "exact")
    form: PromptForm = PLAIN

    def __init__(self, data: Source, *, test: Source | None = None, ood: Source | None = None) -> None:
        data, test = source_by_split(data, test)
        self.sources = {"train": data, "test": data if test is None else test, **({} if ood is None else {"ood": ood})}
        rows = read_numbered_rows(data)
        if test is None:
            rows, tested = without_test(rows, self.start_of)
        else:
            tested = read_numbered_rows(test)
        self._rows = {"train": rows, "test": tested, **({} if ood is None else {"ood": read_numbered_rows(ood)})}
        self._make_items()

    def _make_items(self) -> None:
        """Make the items of all splits from their rows."""
        self._items = {split: [item for row in own for item in self.items_of(row)] for split, own in self._rows.items()}
        for split, items in self._items.items():
            if not items:
                remedy = f"no judged turn in its {len(self._rows[split])} rows; give it a source with some"
                raise DataError(f"split '{split}'", source_name(self.sources[split]), remedy)
        self._tell_mean()
        good = {f"{split}_good": self._keep_good_replies(split) for split in self._items if split != "train"}
        self._items |= good
        self.eval_splits = tuple(split for split, items in good.items() if items)

    def in_form(self, form: PromptForm) -> Self:
        """Return the task in this form: prompts as text, or as messages behind the system's one.

        Raises:
            ConfigError: when there is an instruction, or there are to be examples: a log holds its prompts.
        """
        form.refuse(self.name, INSTRUCTION, SHOTS)
        if form == self.form:
            return self
        twin = copy.copy(self)
        twin.form = form
        twin._make_items()
        return twin

    @abstractmethod
    def start_of(self, row: Row) -> Observation:
        """Return how a row begins: rows that begin alike fall to the same side of the split."""

    @abstractmethod
    def items_of(self, row: Row) -> Iterator[Item]:
        """Yield the judged turns of a row."""

    def items(self, split: str) -> Sequence[Item]:
        if split not in self._items:
            raise DataError("split", split, nearest(split, self._items))
        return self._items[split]

    def judge(self, item: Item, completion: str) -> Feedback:
        """Score a fresh reply by the words it shares with the good one; without a good reply, return empty feedback."""
        good = good_reply(item)
        if good is None:
            return Feedback()
        rewards = likeness(completion, good)
        success = rewards["exact"] == 1
        return Feedback(rewards=rewards, reward=rewards["overlap"], success=success, sources=(self.name,))

    def validate(self, split: str, limit: int = 200) -> int:
        """Return 0: there is nothing to grade, because a recorded turn is no gold answer."""
        return 0

    def recorded_turns(self) -> Sequence[Item]:
        return self.items("test")

    def _tell_mean(self) -> None:
        rewards = [each.columns["reward"] for each in self._items["train"] if each.columns["reward"] is not None]
        mean = fmean(rewards) if rewards else None
        for split, items in self._items.items():
            self._items[split] = [replace(each, columns={**each.columns, "reward_mean": mean}) for each in items]

    def _keep_good_replies(self, split: str) -> list[Item]:
        return [item for item in self._items[split] if good_reply(item) is not None]


def good_reply(item: Item) -> str | None:
    """Return what should have been said: the correction, or what was said if its reward is above the mean, or None."""
    columns = item.columns
    if columns["correction"] is not None:
        return str(columns["correction"])
    return item.target if is_rewarded(item) else None


def is_rewarded(item: Item) -> bool | None:
    """Return whether the reward is above the mean; None when there is no reward."""
    reward, mean = item.columns["reward"], item.columns["reward_mean"]
    return None if reward is None or mean is None else reward > mean


def transcript(messages: Sequence[Mapping[str, Any]], cue: str = "assistant") -> str:
    """Write messages as text, one line each (further lines are indented), and the cue for the next speaker."""
    lines = [f"{each['role']}: {each['content'].strip()}".replace("\n", "\n  ") for each in messages]
    return "\n".join([*lines, f"{cue}:"])


def number_in(row: Row, place: str, value: object) -> float | None:
    """Return a reward that stands at `place` in a row, perhaps as text; None where there is none.

    True and false are 1 and 0, also as text.

    Raises:
        DataError: when the value is no finite number.
    """
    value = plain_value(value)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, str) and value.strip().casefold() in _TRUTHS:
        return _TRUTHS[value.strip().casefold()]
    try:
        number = float(value) if isinstance(value, str | int | float | Decimal) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"{row.place}, {place}", repr(value), "write a finite number, or leave it out")
    return number


def text_in(row: Row, place: str, value: object) -> str | None:
    """Return a text that stands at `place` in a row; None where there is none or it is blank.

    Raises:
        DataError: when the value is no text.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        raise DataError(f"{row.place}, {place}", repr(value), "write text, or leave it out")
    return value if value.strip() else None
