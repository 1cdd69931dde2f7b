"""The task: what constraints mean, which combinations are kept aside, what relabelling may write."""

import random

import pytest

from backsight.errors import ConfigError, DataError
from backsight.tasks.base import Item
from backsight_pocket import instructions as module
from backsight_pocket import world
from backsight_pocket.constraints import (
    Constraint,
    Sentence,
    combination_of,
    combinations,
    domain_of,
    held_out_combinations,
)
from backsight_pocket.corpus import documents
from backsight_pocket.instructions import InstructionsTask, prompt_of

SENTENCE = Sentence("On Friday the baker kneaded the dough.")


@pytest.fixture(scope="module")
def task() -> InstructionsTask:
    return InstructionsTask(eval_items=60)


@pytest.mark.parametrize(
    ("constraint", "holds"),
    [
        (Constraint("use", "dough"), True),
        (Constraint("use", "bread"), False),
        (Constraint("start", "On"), True),
        (Constraint("start", "The"), False),
        (Constraint("end", "dough"), True),
        (Constraint("end", "baker"), False),
        (Constraint("avoid", "bread"), True),
        (Constraint("avoid", "the"), False),
        (Constraint("length", "short"), True),
        (Constraint("length", "long"), False),
        (Constraint("exactly", "7"), True),
        (Constraint("exactly", "8"), False),
    ],
)
def test_what_a_constraint_means(constraint: Constraint, holds: bool) -> None:
    assert constraint.holds(SENTENCE) is holds
    assert not constraint.holds(Sentence(""))


def test_categories_are_those_of_the_nouns() -> None:
    sentence = Sentence(world.sentence(random.Random(3), "harbour"))
    for category in ("person", "place", "animal", "thing"):
        expected = any(category in world.categories(word) for word in sentence.words)
        assert Constraint("mention", category).holds(sentence) is expected


def test_prompts_are_terse() -> None:
    constraints = [Constraint("mention", "animal"), Constraint("length", "long"), Constraint("exactly", "7")]
    assert prompt_of(constraints) == "an animal; long; 7 words:"


@pytest.mark.parametrize("split", ["train", "in_domain", "combinations", "domains", "more", "exact"])
def test_gold_answers_get_full_marks(task: InstructionsTask, split: str) -> None:
    assert task.validate(split, 60) == 60


def test_splits_are_what_they_say(task: InstructionsTask) -> None:
    held_out = held_out_combinations(4)
    assert 0 < len(held_out) < len(combinations(4))
    for split, is_held_out in (("train", False), ("in_domain", False), ("combinations", True), ("domains", False)):
        for item in task.items(split)[:60]:
            assert (combination_of(item.columns["constraints"]) in held_out) is is_held_out
    assert all(len(item.columns["constraints"]) == 6 for item in task.items("more")[:60])
    assert all(combination_of(item.columns["constraints"])[-1] == 1 for item in task.items("exact")[:60])


def domains_of(item: Item) -> set[str | None]:
    return {domain_of(word) for word in Sentence(str(item.target).strip()).words} - {None}


def test_held_out_domains_are_in_their_split_alone(task: InstructionsTask) -> None:
    held_out = set(world.HELD_OUT_DOMAINS)
    assert all(not domains_of(item) & held_out for item in task.items("train")[:300])
    assert all(domains_of(item) <= held_out for item in task.items("domains"))


def test_pretraining_asks_one_thing_at_a_time() -> None:
    stream = documents(seed=0)
    cues = ("in Tarin:", "review:", "report:", "user:")
    asked = [each for each in (next(stream) for _ in range(2500)) if each.prompt and not each.prompt.startswith(cues)]
    assert 1200 < len(asked) < 1400
    for document in asked:
        (constraint,) = [parse_constraint(part) for part in document.prompt.removesuffix(":").split("; ")]
        assert constraint.holds(Sentence(document.completion.strip()))


def test_items_are_the_same_each_time() -> None:
    first, second = InstructionsTask().items("train")[12345], InstructionsTask().items("train")[12345]
    assert (first.prompt, first.target) == (second.prompt, second.target)


def test_relabelling_asks_for_what_was_written(task: InstructionsTask) -> None:
    held_out, relabelled = held_out_combinations(4), 0
    rng = random.Random(0)
    for number, item in enumerate(task.items("train")[:150]):
        text = world.sentence(rng, rng.choice(world.DOMAINS))
        prompt = task.relabel_prompt(item, f" {text}", seed=number)
        if prompt is None:
            continue
        relabelled += 1
        parts = prompt.removesuffix(":").split("; ")
        constraints = [parse_constraint(part) for part in parts]
        assert len(constraints) == 4 == len(set(parts))
        assert all(constraint.holds(Sentence(text)) for constraint in constraints)
        assert combination_of(constraints) not in held_out
        kept = [each for each in item.columns["constraints"] if each.holds(Sentence(text))]
        assert {str(each) for each in kept} <= set(parts)
    assert relabelled > 100


def parse_constraint(part: str) -> Constraint:
    if part in ("short", "long"):
        return Constraint("length", part)
    if part.split()[0] in ("a", "an"):
        return Constraint("mention", part.split()[1])
    kind, argument = part.split()
    return Constraint("exactly", kind) if argument == "words" else Constraint(kind, argument)


def test_nothing_is_relabelled_from_held_out_domains_or_from_nothing(task: InstructionsTask) -> None:
    item = task.items("train")[0]
    assert task.relabel_prompt(item, world.sentence(random.Random(0), world.HELD_OUT_DOMAINS[0]), 0) is None
    assert task.relabel_prompt(item, "", 0) is None


def test_the_judge_wants_all_of_them(task: InstructionsTask) -> None:
    constraints = (Constraint("use", "dough"), Constraint("start", "The"))
    item = Item("0", prompt_of(constraints), columns={"constraints": constraints})
    feedback = task.judge(item, " On Friday the baker kneaded the dough.")
    assert (feedback.reward, feedback.success, feedback.rewards["constraints"]) == (0.0, False, 0.5)
    assert task.judge(item, " The dough rose.").success


def test_what_nobody_can_satisfy_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="num_constraints: 40"):
        InstructionsTask(num_constraints=40)
    with pytest.raises(ConfigError, match="at least 2"):
        InstructionsTask(num_constraints=1)
    monkeypatch.setattr(module, "instruction", lambda *arguments: None)
    with pytest.raises(DataError, match="no sentence of the world"):
        InstructionsTask().items("train")[0]
