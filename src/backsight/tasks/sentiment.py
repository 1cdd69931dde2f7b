"""The task `sentiment`: classification of texts by writing the label, of sentiment or of any other set of labels."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from statistics import fmean

from backsight.errors import DataError, nearest
from backsight.tasks.base import Item
from backsight.tasks.cells import Row, number_text
from backsight.tasks.forms import listed
from backsight.tasks.labels import contained, read_label
from backsight.tasks.questions import QuestionTask
from backsight.tasks.tables import Source, source_name
from backsight.types import Feedback

MOST_SHOTS = 4
MAX_LABELS = 20
"""Most distinct labels; more are taken for a mistake, such as identifiers or ratings with decimals."""


class SentimentTask(QuestionTask):
    """Texts to label, from rows with the columns `text` and `label`; the label is what the policy has to write.

    The labels are those of the train split. An answer is read as people read it: case, punctuation and words such as
    "The sentiment is" do not count (`backsight.tasks.labels`), and `valid` says whether it could be understood. For a
    whole split the task also reports `macro_f1`, the mean of the labels' F1, in which every label counts the same,
    however rare. An instruction may name `labels`.

    Nothing is relabelled: to learn from a wrong answer, one would need a text that it is right for, and the answer says
    nothing about which text that is. Any text of that label would do, which is supervised learning and not hindsight.
    The feedback on a wrong answer holds the gold label (`Feedback.correction`), which a teacher can be shown.

    Raises:
        DataError: as for `FileTask`, or when there are fewer than two labels or more than `MAX_LABELS`, or a label that
            the train split does not have.
    """

    name = "sentiment"
    metrics = ("valid",)
    understood = "valid"
    cue = "\nsentiment:"
    column = "text"
    instruction = "Is the sentiment of this text {labels}? Answer with one word.\n\n{text}"

    def __init__(self, data: Source, *, test: Source | None = None, ood: Source | None = None) -> None:
        super().__init__(data, test=test, ood=ood)
        self.labels = tuple(_in_order({_label(item) for item in self.items("train")}))
        if not 2 <= len(self.labels) <= MAX_LABELS:
            remedy = f"{len(self.labels)} distinct labels; this task takes 2 to {MAX_LABELS}"
            raise DataError(f"{source_name(self.sources['train'])}, column 'label'", ", ".join(self.labels), remedy)
        for split in self.eval_splits:
            for item in self.items(split):
                if _label(item) not in self.labels:
                    place = f"{source_name(self.sources[split])}: row {item.id}, column 'label'"
                    remedy = f"not a label of the train split; {nearest(_label(item), self.labels)}"
                    raise DataError(place, _label(item), remedy)

    def items_from(self, rows: Sequence[Row]) -> list[Item]:
        return [
            Item(
                id=str(row.number),
                prompt=row.text("text").strip() + self.cue,
                target=f" {_label_word(row)}",
                columns=row.columns,
            )
            for row in rows
        ]

    def judge(self, item: Item, completion: str) -> Feedback:
        answer = self.read(completion)
        is_correct = answer == _label(item)
        rewards = {"correct": float(is_correct), "valid": float(answer is not None)}
        return Feedback(
            rewards=rewards,
            reward=rewards["correct"],
            success=is_correct,
            correction=None if is_correct else item.target,
            sources=(self.name,),
        )

    def read(self, completion: str) -> str | None:
        """Return the label that a completion names; None when it cannot be understood."""
        return read_label(completion, self.labels)

    def words_for_templates(self) -> Mapping[str, str]:
        return {"labels": listed(self.labels)}

    @property
    def chat_shots(self) -> int:
        """An example of each label, up to `MOST_SHOTS`: without them small models answer with words of their own."""
        return min(len(self.labels), MOST_SHOTS)

    def pick_examples(self, items: Sequence[Item], rng: Random) -> Sequence[Item]:
        """Return items of all labels by turns."""
        by_label = {label: [item for item in items if _label(item) == label] for label in self.labels}
        for own in by_label.values():
            rng.shuffle(own)
        rounds = range(max(map(len, by_label.values())))
        return [own[turn] for turn in rounds for own in by_label.values() if turn < len(own)]

    @property
    def remarks(self) -> Sequence[str]:
        if (pair := contained(self.labels)) is None:
            return ()
        return (f"labels: '{pair[0]}' stands in '{pair[1]}'; of such labels the longest in an answer counts",)

    def split_metrics(self, items: Sequence[Item], completions: Sequence[str]) -> Mapping[str, float]:
        """Compute `macro_f1`, the mean F1 of the labels that occur as gold labels or as answers.

        An answer that is no label counts as a miss of the gold label.
        """
        gold = [_label(item) for item in items]
        answers = [self.read(completion) for completion in completions]
        right = Counter(label for label, answer in zip(gold, answers, strict=True) if label == answer)
        counts = Counter(gold) + Counter(answer for answer in answers if answer is not None)
        return {"macro_f1": fmean(2 * right[label] / count for label, count in counts.items())}


def _label_word(row: Row) -> str:
    """Return a label. Many data sets number them; decimals are taken for ratings."""
    number = number_text(row.cell("label"))
    return row.text("label").strip() if number is None or "." in number else number


def _in_order(labels: Iterable[str]) -> list[str]:
    """Return the labels by size if all are numbers, else by the alphabet, with the numbers in them by size.

    A classifier without names for its outputs gets them in this order.
    """
    known = sorted(labels)
    try:
        return sorted(known, key=float)
    except ValueError:
        parts = {label: re.split(r"(\d+)", label) for label in known}  # text and numbers by turns
        return sorted(
            known, key=lambda label: [_size(part) if place % 2 else part for place, part in enumerate(parts[label])]
        )


def _size(digits: str) -> tuple[int, str]:
    """Return the order of a whole number, however long: its digits, and before them how many there are."""
    plain = "".join(str(unicodedata.digit(digit)) for digit in digits).lstrip("0")
    return len(plain), plain


def _label(item: Item) -> str:
    return str(item.target).strip().casefold()
