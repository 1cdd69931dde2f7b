"""What the model is pretrained on: every task in its simplest form, and no combination of what is kept aside."""

import itertools
from collections import Counter

import pytest

from backsight_pocket.build import CONTEXT_TOKENS, Recipe, train_tokenizer
from backsight_pocket.corpus import SHARES, Document, documents
from backsight_pocket.sentiment import PocketSentimentTask
from backsight_pocket.splits import is_held_out
from backsight_pocket.summarization import PocketSummaryTask
from backsight_pocket.translation import PocketTranslationTask
from backsight_pocket.world import tarin

CUES = {"in": "translation", "review:": "review", "report:": "report", "user:": "dialogue"}


@pytest.fixture(scope="module")
def sample() -> list[Document]:
    return list(itertools.islice(documents(seed=0), 6_000))


def kind_of(document: Document) -> str:
    return CUES.get(document.prompt.partition(" ")[0], "other")


def test_every_task_has_its_share(sample: list[Document]) -> None:
    assert sum(SHARES.values()) == pytest.approx(1)
    counts = Counter(map(kind_of, sample))
    expected = {"translation": 0.16, "review": 0.05, "report": 0.06, "dialogue": 0.07, "other": 0.66}
    assert {kind: count / len(sample) for kind, count in counts.items()} == pytest.approx(expected, abs=0.02)


def test_the_stream_is_the_same_each_time(sample: list[Document]) -> None:
    assert list(itertools.islice(documents(seed=0), 500)) == sample[:500]
    assert next(documents(seed=1)) != sample[0]


def test_forms_are_simple(sample: list[Document]) -> None:
    longest = {
        kind: max(len(each.prompt.split()) for each in sample if kind_of(each) == kind) for kind in CUES.values()
    }
    assert longest["translation"] <= 14 and longest["review"] <= 15 and longest["report"] <= 40
    assert all(each.prompt.count(" matter.") == 0 for each in sample if kind_of(each) == "dialogue")


def test_held_out_words_are_known_but_not_combined(sample: list[Document]) -> None:
    held_out = Counter(kind_of(each) for each in sample if is_held_out(each.prompt + each.completion))
    assert held_out["report"] == 0
    assert held_out["translation"] > 20 and held_out["review"] > 20 and held_out["dialogue"] > 20
    for each in sample:
        if kind_of(each) in ("translation", "dialogue") and is_held_out(each.prompt):
            last = each.prompt.rpartition("\n")[0] or each.prompt
            words = {word for word in last.replace(".", "").replace(";", "").split() if is_held_out(word)}
            assert len(words) <= 1, each


def test_words_have_one_token_and_tarin_one_a_morpheme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backsight_pocket.build.TOKENIZER_DOCUMENTS", 10_000)
    tokenizer = train_tokenizer(Recipe())
    known = set(tokenizer.get_vocab())
    unknown = set()
    for word in itertools.islice(tarin.readings(), 0, None, 11):
        first, *rest = tarin.morphemes(word)
        if {f"\u0120{first}", *rest} <= known:
            tokens = tokenizer(f" {word}", add_special_tokens=False)["input_ids"]
            assert [tokenizer.decode([token]) for token in tokens] == [f" {first}", *rest]
        else:
            unknown.add(first)
    assert len(unknown) < 0.3 * len(tarin.stems())  # a tenth of what the model's tokenizer reads
    for task in (PocketTranslationTask(), PocketSentimentTask(), PocketSummaryTask()):
        for item in (item for split in ("train", *task.eval_splits) for item in task.items(split)[:20]):
            length = len(tokenizer(item.prompt + str(item.target))["input_ids"])
            assert length < 130 < CONTEXT_TOKENS
