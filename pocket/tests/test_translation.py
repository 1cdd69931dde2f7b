"""The task: both languages say the same, and a wrong translation becomes the right one of something else."""

import random

import pytest

from backsight.errors import DataError
from backsight_pocket import world
from backsight_pocket.splits import is_held_out
from backsight_pocket.translation import PocketTranslationTask
from backsight_pocket.world import tarin
from backsight_pocket.world.clauses import draw

SPLITS = ("train", "in_domain", "domains", "longer")


@pytest.fixture(scope="module")
def task() -> PocketTranslationTask:
    return PocketTranslationTask(eval_items=100)


@pytest.mark.parametrize("split", SPLITS)
def test_gold_answers_get_full_marks(task: PocketTranslationTask, split: str) -> None:
    assert task.validate(split, 60) == 60
    assert all(task.judge(item, str(item.target)).success for item in task.items(split)[:60])


def test_items_are_terse_and_the_same_each_time(task: PocketTranslationTask) -> None:
    again = PocketTranslationTask(eval_items=100)
    for split in SPLITS:
        assert task.items(split)[:50] == again.items(split)[:50]
        assert all(len(f"{item.prompt}{item.target}".split()) < 35 for item in task.items(split)[:100])
    item = task.items("train")[0]
    assert item.prompt.startswith("in Tarin: ") and item.prompt.endswith(". =>")


def test_held_out_domains_are_in_their_split_alone(task: PocketTranslationTask) -> None:
    for split in ("train", "in_domain", "longer"):
        assert not any(is_held_out(item.prompt) for item in task.items(split)[:100])
    assert sum(is_held_out(item.prompt) for item in task.items("domains")) > 90


def test_longer_items_say_more(task: PocketTranslationTask) -> None:
    def average(split: str) -> float:
        return sum(len(item.prompt.split()) for item in task.items(split)[:100]) / 100

    assert average("longer") > average("in_domain") + 2


def test_a_wrong_translation_is_relabelled_to_what_it_says(task: PocketTranslationTask) -> None:
    rng = random.Random(0)
    for number, item in enumerate(task.items("train")[:300]):
        clause = draw(rng, rng.choice(world.DOMAINS), rng.choice((0, 1, 2, 3)))
        completion = f" {tarin.sentence(clause)}"
        prompt = task.relabel_prompt(item, completion, number)
        assert prompt == task.relabel_prompt(item, completion, number + 1) is not None
        source = prompt.removeprefix("in Tarin: ").removesuffix(" =>")
        assert source == world.english.sentence(clause)
        relabelled = type(item)("again", prompt, completion, {"references": [completion.strip()]})
        assert task.judge(relabelled, completion).success


def test_nothing_is_relabelled_from_nonsense_or_held_out_domains(task: PocketTranslationTask) -> None:
    item = task.items("train")[0]
    for completion in ("", "🙂", " puvum puvum.", " The sailor moored a boat.", "puvum " * 5000):
        assert task.relabel_prompt(item, completion, 0) is None
        assert not task.judge(item, completion).success
    assert task.relabel_prompt(item, str(task.items("domains")[0].target), 0) is None


def test_an_unknown_split_is_named(task: PocketTranslationTask) -> None:
    with pytest.raises(DataError, match="did you mean 'domains'"):
        task.items("domain")
