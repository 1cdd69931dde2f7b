"""IFEval (Zhou et al. 2023, arXiv 2311.07911): 541 real prompts whose instructions a program can check.

The checkers are the public ones, from the package if-verifiable; two of them cut sentences with the data `punkt` of
nltk, which the package llama-index-core ships. This is the only file that imports either.
"""

from __future__ import annotations

import copy
import gzip
import json
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Self

from backsight.errors import ConfigError
from backsight.tasks.base import Item, PromptTask
from backsight.tasks.forms import INSTRUCTION, SHOTS, PromptForm
from backsight.types import Feedback

ROWS = "reasoning/ifeval/test.jsonl.gz"
"""Where the prompts lie in the folder of all data."""
PUNKT = "llama_index/core/_static/nltk_cache"
"""Where llama-index-core keeps the data of nltk."""


class IFEvalTask(PromptTask):
    """The prompts of IFEval, to evaluate on and never to train on.

    The reward is 1 if all instructions of a prompt were followed (strict accuracy by prompt); ``instructions`` is the
    share of them (strict accuracy by instruction, averaged by prompt).
    """

    name = "ifeval"
    eval_splits = ("test",)
    metrics = ("instructions",)

    def __init__(self, data: Path) -> None:
        """Read the prompts from the folder of all data.

        Raises:
            ConfigError: when a package of the checkers is missing.
        """
        with gzip.open(data / ROWS, "rt", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        self._items = [Item(str(row["key"]), row["prompt"], columns=row) for row in rows]
        _checkers()  # what is missing is said before anything is trained

    def in_form(self, form: PromptForm) -> Self:
        """Return the task with its prompts as text or as messages of the user.

        Raises:
            ConfigError: when there is an instruction, or there are to be examples.
        """
        form.refuse(self.name, INSTRUCTION, SHOTS)
        twin = copy.copy(self)
        twin._items = [Item(item.id, form.wrap(item.columns["prompt"]), columns=item.columns) for item in self._items]
        return twin

    def items(self, split: str) -> Sequence[Item]:
        return self._items

    def judge(self, item: Item, completion: str) -> Feedback:
        followed = follow(item.columns, completion)
        all_followed = all(followed)
        rewards = {"all": float(all_followed), "instructions": sum(followed) / len(followed)}
        return Feedback(rewards=rewards, reward=rewards["all"], success=all_followed, sources=(self.name,))


def follow(row: dict[str, Any], answer: str) -> list[bool]:
    """Return for each instruction of a row whether the answer follows it; an empty answer follows none."""
    if not answer.strip():
        return [False] * len(row["instruction_id_list"])
    return [
        _is_followed(name, settings, row["prompt"], answer)
        for name, settings in zip(row["instruction_id_list"], row["kwargs"], strict=True)
    ]


def _is_followed(name: str, settings: dict[str, Any], prompt: str, answer: str) -> bool:
    checker = _checkers()[name](name)
    checker.build_description(**{key: value for key, value in settings.items() if value is not None})
    if "prompt" in (checker.get_instruction_args() or {}):
        checker.build_description(prompt=prompt)
    return bool(checker.check_following(answer))


@cache
def _checkers() -> dict[str, Any]:
    """Return the public checkers by the name of the instruction.

    Raises:
        ConfigError: when a package is missing.
    """
    try:
        import nltk
        from if_verifiable.ifeval.instructions_registry import INSTRUCTION_DICT
        from langdetect import DetectorFactory

        punkt = metadata.distribution("llama-index-core").locate_file(PUNKT)
    except (ImportError, metadata.PackageNotFoundError) as error:
        remedy = "pip install 'backsight[bench]', and pip install --no-deps llama-index-core for the data of nltk"
        raise ConfigError("IFEval", str(error), remedy) from error
    DetectorFactory.seed = 0  # otherwise the same text is of another language now and then
    nltk.data.path.append(str(punkt))
    return dict(INSTRUCTION_DICT)
