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

from backsight import load_policy
from backsight.runs.prompts import fit_prompts
from backsight.tasks.base import Item
from backsight.tasks.dialogue import DialogueTask
from backsight.tasks.files import Rows, read_rows
from backsight.tasks.rows import FileTask
from backsight.tasks.sentiment import SentimentTask
from backsight.tasks.summarization import SummarizationTask
from backsight.tasks.translation import TranslationTask
from benchmarks.generalization.base import build_base
from benchmarks.generalization.protocol import DEV, WITHOUT_HINDSIGHT, Budget, Ground, Method, World, divide_labels

FAMILY = "real data"
SEEDS = (0, 1)
"""Seeds of the worlds that do not set their own."""
WARM_UP_RATE, RATES = 1e-3, (1e-4, 3e-4, 1e-3)
METHODS = {"gold_anchor": Method("gold_anchor", sees_gold=True), "relabel": Method("relabel", sees_gold=True)}
"""The methods that look back. Both read gold answers: of the same prompt, or of another one."""
SHARED: Mapping[str, Any] = {"algorithm": "rloo", "lr_scheduler_type": "cosine"}
GENERAL_TEXTS, GENERAL_CHARACTERS = 100, (30, 300)
"""How many texts of the dev split are looked at; how long each has to be, and how much of it is read."""


@dataclass(frozen=True, slots=True)
class Source:
    """An application with its data, whose paths start in the folder of all data."""

    application: str
    kind: type[FileTask]
    train: str
    dev: str
    test: str
    out_of_domain: Mapping[str, str]
    """The data of each split out of domain, by its name."""
    texts: Callable[[Item], Sequence[str]]
    """What the base reads: the plain texts of an item, not what is asked of them."""
    context: int
    """Number of tokens that a prompt and a completion may take; longer prompts are cut. The base has room for twice as
    many, because a gold answer may be longer than a completion."""
    max_completion_length: int
    budget: Budget
    hindsight: tuple[str, ...] = ("gold_anchor",)
    seeds: tuple[int, ...] = SEEDS
    read: Callable[[str], Rows] = read_rows


def convert_coffee(rows: Rows) -> Rows:
    """Write orders of coffee as messages, without what was said to the till."""
    roles = {"user": "user", "agent": "assistant"}
    dialogues = [[each for each in row["turns"] if each.get("text", "").strip()] for row in rows]
    return [
        {"messages": [{"role": roles[each["role"]], "content": each["text"].strip()} for each in turns]}
        for turns in dialogues
    ]


def convert_movies(rows: Rows) -> Rows:
    """Write talks about tickets as messages: what was said before, the last thing said, and the reply in words.

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


def read_dialogues(source: str) -> Rows:
    """Read dialogues of either source as messages."""
    rows = read_rows(source)
    return convert_coffee(rows) if "turns" in rows[0] else convert_movies(rows)


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
        read=read_dialogues,
    ),
)


def make_worlds(data: Path) -> list[World]:
    """Make one world for each source, with the data from this folder."""
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
    whole = _make_task(source, data)
    read = [text for item in whole.items("train") for text in source.texts(item)]
    asked = [f"{item.prompt}{item.target}" for item in whole.items("train")[: budget.labels]]
    base = folder / "base"
    build_base(read, asked, base, budget.base_steps, 2 * source.context)
    splits = (DEV, "test", *source.out_of_domain)
    counts = {"train": budget.labels, **dict.fromkeys(splits, budget.eval_items)}
    room = source.context + source.max_completion_length
    task, _ = fit_prompts(whole, [load_policy(str(base))], room, counts, truncate=True)
    warm_up, rest = divide_labels(task, budget)
    shortest, longest = GENERAL_CHARACTERS
    held_out = [text[:longest] for item in task.items(DEV) for text in source.texts(item) if len(text) >= shortest]
    return Ground(base, warm_up, rest, rest, task, task, held_out[:GENERAL_TEXTS])


def _make_task(source: Source, data: Path) -> FileTask:
    """Make the task with the splits train, test, dev and those out of domain."""
    with tempfile.TemporaryDirectory() as folder:

        def write(place: str) -> str:
            """Write the rows in the form that the task reads, and return the file."""
            path = Path(folder, place.replace("/", "-").removesuffix(".gz"))
            path.write_text("".join(json.dumps(row) + "\n" for row in source.read(str(data / place))))
            return str(path)

        def read(place: str) -> Sequence[Item]:
            path = write(place)
            return source.kind(path, test=path).items("test")

        task = source.kind(write(source.train), test=write(source.test))
        others = {DEV: source.dev, **source.out_of_domain}
        task = task.with_items({split: read(place) for split, place in others.items()})
        task.eval_splits = ("test", *others)
        return task
