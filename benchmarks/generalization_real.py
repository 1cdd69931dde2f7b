"""Worlds of real data, each with a small base from nothing and test data from another domain.

    sentiment       film reviews            -> reviews of gadgets
    translation     everyday sentences      -> news, English to German
    summarization   abstracts of papers     -> contracts, and talks with doctors
    dialogue        orders of coffee        -> movie tickets

Few of the labels are used; the base reads the plain texts of all training items. A reference says what was right, not
what a wrong answer would have been right for: `gold_anchor` lets it join the groups that failed. A translation may be
that of another sentence, which `relabel` finds.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from generalization_base import build_base
from generalization_protocol import DEV, WITHOUT_HINDSIGHT, Budget, Ground, Method, World, divided

from backsight.finetuning import load_policy
from backsight.rollouts.prompts import prepared
from backsight.tasks.base import Item
from backsight.tasks.dialogue import DialogueTask
from backsight.tasks.files import Rows, read_rows
from backsight.tasks.rows import FileTask
from backsight.tasks.sentiment import SentimentTask
from backsight.tasks.summarization import SummarizationTask
from backsight.tasks.translation import TranslationTask

FAMILY = "real data"
SEEDS = (0, 1)
"""Of those that do not say so themselves."""
WARM_UP_RATE, RATES = 1e-3, (1e-4, 3e-4, 1e-3)
METHODS = {"gold_anchor": Method("gold_anchor", sees_gold=True), "relabel": Method("relabel", sees_gold=True)}
"""Those that look back. Both read gold answers: of the same prompt, or of another one."""
SHARED: Mapping[str, Any] = {"algorithm": "rloo", "lr_scheduler_type": "cosine"}
GENERAL_TEXTS, GENERAL_CHARACTERS = 100, (30, 300)
"""Of the dev split: how many are looked at, how long each has to be, and how much of it is read."""


@dataclass(frozen=True, slots=True)
class Source:
    """An application with its data, from the folder of all data."""

    application: str
    kind: type[FileTask]
    train: str
    dev: str
    test: str
    out_of_domain: Mapping[str, str]
    """By the name of the split."""
    texts: Callable[[Item], Sequence[str]]
    """What the base reads: the plain texts of an item, not what is asked of them."""
    context: int
    """Tokens of a prompt and a completion; longer prompts are cut. The base has room for as many again, because a gold
    answer may be longer than a completion."""
    max_completion_length: int
    budget: Budget
    hindsight: tuple[str, ...] = ("gold_anchor",)
    seeds: tuple[int, ...] = SEEDS
    read: Callable[[str], Rows] = read_rows


def coffee_dialogues(rows: Rows) -> Rows:
    """Orders of coffee as messages, without what was said to the till."""
    roles = {"user": "user", "agent": "assistant"}
    dialogues = [[each for each in row["turns"] if each.get("text", "").strip()] for row in rows]
    return [
        {"messages": [{"role": roles[each["role"]], "content": each["text"].strip()} for each in turns]}
        for turns in dialogues
    ]


def movie_dialogues(rows: Rows) -> Rows:
    """Talks about tickets as messages: what was said before, the last thing said, and the reply, if it is in words.

    The text has the last thing said first, then <C>, then all before; <U> and <A> speak, other tags call the till.
    """
    dialogues = []
    for row in rows:
        said, reply = (str(row[column]).strip('"').replace('""', '"') for column in ("input", "target"))
        last, _, before = said.partition("<C>")
        if not reply.startswith("[A]"):
            continue
        turns = re.findall(r"<([UA])>([^<]+)", f"{before}{last}<A>{reply.removeprefix('[A]')}")
        roles = {"U": "user", "A": "assistant"}
        dialogues.append({"messages": [{"role": roles[tag], "content": text.strip()} for tag, text in turns]})
    return dialogues


def _dialogues(source: str) -> Rows:
    rows = read_rows(source)
    return coffee_dialogues(rows) if "turns" in rows[0] else movie_dialogues(rows)


SOURCES = (
    Source(
        application="sentiment",
        kind=SentimentTask,
        train="sentiment/sentence_polarity/train.jsonl.gz",
        dev="sentiment/sentence_polarity/dev.jsonl.gz",
        test="sentiment/sentence_polarity/test.jsonl.gz",
        out_of_domain={"product reviews": "sentiment/product_reviews/ood.jsonl.gz"},
        texts=lambda item: [item.columns["text"]],
        context=128,
        max_completion_length=4,
        budget=Budget(4000, 1000, 6, 80, 1000, base_steps=400),
    ),
    Source(
        application="translation",
        kind=TranslationTask,
        train="translation/tatoeba_en_de/train.jsonl.gz",
        dev="translation/tatoeba_en_de/dev.jsonl.gz",
        test="translation/tatoeba_en_de/test.jsonl.gz",
        out_of_domain={"news": "translation/ntrex_de/ood.jsonl.gz"},
        texts=lambda item: [item.prompt.removesuffix(TranslationTask.cue), *item.columns["references"]],
        context=128,
        max_completion_length=32,
        budget=Budget(20_000, 8000, 3, 60, 300, base_steps=1200),
        hindsight=("gold_anchor", "relabel"),
    ),
    Source(
        application="summarization",
        kind=SummarizationTask,
        train="summarization/scitldr/train.jsonl.gz",
        dev="summarization/scitldr/dev.jsonl.gz",
        test="summarization/scitldr/test.jsonl.gz",
        out_of_domain={
            "contracts": "summarization/legal_plain/ood.jsonl.gz",
            "medicine": "summarization/mts_dialog/test1.jsonl.gz",
        },
        texts=lambda item: [item.prompt.removesuffix(SummarizationTask.cue)],
        context=160,
        max_completion_length=40,
        budget=Budget(1992, 600, 8, 40, 200, base_steps=400),
        seeds=(0,),  # its documents are long
    ),
    Source(
        application="dialogue",
        kind=DialogueTask,
        train="dialogue/taskmaster4_coffee/train.jsonl.gz",
        dev="dialogue/taskmaster4_coffee/dev.jsonl.gz",
        test="dialogue/taskmaster4_coffee/test.jsonl.gz",
        out_of_domain={"movie tickets": "dialogue/taskmaster3_movies/next_turn_sample.jsonl.gz"},
        texts=lambda item: [item.columns["references"][0]],
        context=160,
        max_completion_length=32,
        budget=Budget(4000, 1000, 6, 50, 300, base_steps=400),
        read=_dialogues,
    ),
)


def worlds(data: Path) -> list[World]:
    """With the data from this folder."""
    return [
        World(
            name=f"real-{source.application}",
            family=FAMILY,
            in_domain="test",
            out_of_domain=tuple(source.out_of_domain),
            seeds=source.seeds,
            budget=source.budget,
            methods={**WITHOUT_HINDSIGHT, **{name: METHODS[name] for name in source.hindsight}},
            prepare=partial(_prepare, source, data),
            warm_up_learning_rate=WARM_UP_RATE,
            learning_rates=RATES,
            settings={**SHARED, "max_completion_length": source.max_completion_length},
        )
        for source in SOURCES
    ]


def _prepare(source: Source, data: Path, budget: Budget, folder: Path) -> Ground:
    whole = _task(source, data)
    read = [text for item in whole.items("train") for text in source.texts(item)]
    asked = [f"{item.prompt}{item.target}" for item in whole.items("train")[: budget.labels]]
    base = folder / "base"
    build_base(read, asked, base, budget.base_steps, 2 * source.context)
    splits = (DEV, "test", *source.out_of_domain)
    counts = {"train": budget.labels, **dict.fromkeys(splits, budget.eval_items)}
    room = source.context + source.max_completion_length
    task, _ = prepared(whole, [load_policy(str(base))], room, counts, truncate=True)
    warm_up, rest = divided(task, budget)
    shortest, longest = GENERAL_CHARACTERS
    held_out = [text[:longest] for item in task.items(DEV) for text in source.texts(item) if len(text) >= shortest]
    return Ground(base, warm_up, rest, rest, task, task, held_out[:GENERAL_TEXTS])


def _task(source: Source, data: Path) -> FileTask:
    """With the splits train, test, dev and those out of domain."""
    with tempfile.TemporaryDirectory() as folder:

        def written(place: str) -> str:
            """A file of the rows in the form that the task reads."""
            path = Path(folder, place.replace("/", "-").removesuffix(".gz"))
            path.write_text("".join(json.dumps(row) + "\n" for row in source.read(str(data / place))))
            return str(path)

        def items(place: str) -> Sequence[Item]:
            path = written(place)
            return source.kind(path, test=path).items("test")

        task = source.kind(written(source.train), test=written(source.test))
        others = {DEV: source.dev, **source.out_of_domain}
        return task.with_items({split: items(place) for split, place in others.items()})
