"""One protocol for all worlds: a warm-up on gold answers, then each method on the same further prompts.

A world has a base policy, a task with labelled items, a split in domain and others out of it. A first share of the
labelled items warms the policy up; from there each method goes on with the rest: `sft` imitates their gold answers in
as many passes as the methods that sample make, `sft_long` in as many rows as those sample attempts, `outcome` is plain
reinforcement learning, and the others look back. Each run leaves a cell: the scores of every item on all splits, and
what it forgot of general text.
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import backsight
from backsight.evaluation.forgetting import text_log_probs
from backsight.finetuning import load_policy
from backsight.policies.text import TextPolicy
from backsight.reports.files import write_whole
from backsight.tasks.base import Item, Task
from backsight.types import Feedback, Observation

WARM_UP, SFT, SFT_LONG, OUTCOME = "warm-up", "sft", "sft_long", "outcome"
CONTROLS = (SFT, SFT_LONG, OUTCOME)


@dataclass(frozen=True, slots=True)
class Budget:
    """How much of everything a run gets."""

    labels: int
    """Items of the train split that are used at all."""
    warm_up_labels: int
    """So many of them warm the policy up."""
    warm_up_passes: int
    steps: int
    """Of the methods that sample."""
    eval_items: int
    """Of each split."""
    prompts_per_step: int = 32
    num_generations: int = 8
    base_steps: int = 0
    """Of a base that is made from nothing."""

    def rehearsal(self) -> Budget:
        """As little as shows that everything runs."""
        return Budget(
            labels=48,
            warm_up_labels=16,
            warm_up_passes=1,
            steps=1,
            eval_items=12,
            prompts_per_step=8,
            num_generations=4,
            base_steps=min(self.base_steps, 20),
        )


@dataclass(frozen=True, slots=True)
class Method:
    """How a run goes on from the warmed-up policy."""

    hindsight: Any
    """As `backsight.finetune` takes it."""
    learning_rate: float
    sees_gold: bool = False
    """Whether gold answers are revealed to it."""


def controls(sft: float, outcome: float) -> dict[str, Method]:
    """What looking back is held against, with these learning rates."""
    supervised = Method("supervised", sft, sees_gold=True)
    return {SFT: supervised, SFT_LONG: supervised, OUTCOME: Method("outcome", outcome)}


@dataclass(frozen=True, slots=True)
class Ground:
    """Everything that the runs of a world share."""

    base: Path
    """The folder of the base policy."""
    warm_up: Task
    """Gold answers to warm up on."""
    gold: Task
    """The gold answers of the other labelled items."""
    attempted: Task
    """The same items to attempt."""
    evaluation: Task
    general_text: Sequence[str]
    """Held-out texts like those that the base has read; none where the policy says no text."""


@dataclass(frozen=True, slots=True)
class World:
    """What is learnt, and how."""

    name: str
    family: str
    """Worlds of one family are counted together."""
    application: str
    in_domain: str
    """The name of a split."""
    out_of_domain: tuple[str, ...]
    seeds: tuple[int, ...]
    budget: Budget
    methods: Mapping[str, Method]
    """Each of `CONTROLS`, and those that look back."""
    prepare: Callable[[Budget, Path], Ground]
    """From a budget and a folder for what is to be kept."""
    warm_up_learning_rate: float
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of all runs."""

    @property
    def splits(self) -> tuple[str, ...]:
        return (self.in_domain, *self.out_of_domain)


@dataclass(frozen=True, slots=True)
class Cell:
    """What came of one run."""

    scores: dict[str, list[float]]
    """By split, and then by item."""
    forgotten: list[float]
    """Nats a token that general text lost, by text: since the warm-up, or in it since the base."""
    attempts: int
    labels: int
    """Gold answers that were revealed, those of the warm-up included."""
    seconds: float
    """Of training."""


class Part(Task):
    """Some items of a task to learn from; nothing is evaluated."""

    def __init__(self, whole: Task, items: Sequence[Item]) -> None:
        self.whole, self.parts = whole, list(items)
        self.name, self.labels, self.full_marks = whole.name, whole.labels, whole.full_marks

    def items(self, split: str) -> Sequence[Item]:
        return self.parts

    def judge(self, item: Item, completion: str) -> Feedback:
        return self.whole.judge(item, completion)

    def relabelled(self, item: Item, completion: str, seed: int) -> Observation | None:
        return self.whole.relabelled(item, completion, seed)


def divided(task: Task, budget: Budget) -> tuple[Part, Part]:
    """The labelled items of a task: to warm up on, and to go on with."""
    items = task.items(task.train_split)[: budget.labels]
    return Part(task, items[: budget.warm_up_labels]), Part(task, items[budget.warm_up_labels :])


def cells_of(world: World, folder: Path, budget: Budget, seeds: Sequence[int]) -> Iterator[tuple[str, int, Cell]]:
    """Method, seed and cell of every run: those that are kept already, and the others as they are done."""
    ground: Ground | None = None
    for seed in seeds:
        warm = folder / f"{WARM_UP}-{seed}"
        for method in (WARM_UP, *world.methods):
            path = folder / f"{method}-{seed}.json"
            if not path.exists():
                folder.mkdir(parents=True, exist_ok=True)
                ground = ground or world.prepare(budget, folder)
                if not warm.exists():
                    _warm_up(world, ground, budget, seed, warm)
                cell = _run(world, ground, budget, method, seed, warm)
                write_whole(path, json.dumps(asdict(cell)))
            yield method, seed, _read(path)
        shutil.rmtree(warm, ignore_errors=True)  # no run of this seed needs it any more


def kept_cells(world: World, folder: Path, seeds: Sequence[int]) -> dict[str, list[Cell]] | None:
    """By method, in the order of the seeds; None while one is missing."""
    paths = {method: [folder / f"{method}-{seed}.json" for seed in seeds] for method in (WARM_UP, *world.methods)}
    if not all(path.exists() for own in paths.values() for path in own):
        return None
    return {method: [_read(path) for path in own] for method, own in paths.items()}


def _read(path: Path) -> Cell:
    return Cell(**json.loads(path.read_text()))


def _warm_up(world: World, ground: Ground, budget: Budget, seed: int, folder: Path) -> None:
    """Leave the warmed-up policy in the folder, with its training time."""
    policy = load_policy(str(ground.base), labels=ground.evaluation.labels)
    steps = math.ceil(budget.warm_up_passes * len(ground.warm_up.items("train")) / budget.prompts_per_step)
    method = Method("supervised", world.warm_up_learning_rate, sees_gold=True)
    seconds, _ = _trained(world, ground.warm_up, policy, method, budget, steps, seed)
    draft = folder.with_suffix(".part")
    shutil.rmtree(draft, ignore_errors=True)
    policy.save(draft)
    (draft / "seconds.json").write_text(json.dumps(seconds))
    draft.rename(folder)


def _run(world: World, ground: Ground, budget: Budget, method: str, seed: int, warm: Path) -> Cell:
    """The cell of a method that goes on from the warmed-up policy, or of that policy itself."""
    policy = load_policy(str(warm), labels=ground.evaluation.labels)
    attempts, labels = 0, len(ground.warm_up.items("train"))
    if method == WARM_UP:
        base = load_policy(str(ground.base), labels=ground.evaluation.labels)
        before = text_log_probs(base, ground.general_text)
        seconds = json.loads((warm / "seconds.json").read_text())
    else:
        before = text_log_probs(policy, ground.general_text)
        settings = world.methods[method]
        is_supervised = method in (SFT, SFT_LONG)
        task = ground.gold if is_supervised else ground.attempted
        steps = steps_of(method, budget, len(ground.gold.items("train")) / len(ground.attempted.items("train")))
        seconds, attempts = _trained(world, task, policy, settings, budget, steps, seed)
        attempts = 0 if is_supervised else attempts
        if settings.sees_gold:
            labels += min(len(task.items("train")), steps * budget.prompts_per_step)
    scores = backsight.evaluate(
        policy,
        ground.evaluation,
        splits=world.splits,
        items=budget.eval_items,
        max_completion_length=world.settings.get("max_completion_length", 64),
    )
    after = text_log_probs(policy, ground.general_text)
    return Cell(
        {split: [value or 0.0 for value in each.item_rewards["reward"]] for split, each in scores.items()},
        [one - two for one, two in zip(before, after, strict=True)],
        attempts,
        labels,
        seconds,
    )


def steps_of(method: str, budget: Budget, gold_share: float) -> int:
    """How long a method trains; `gold_share` is the number of gold answers to an item that is attempted.

    `sft` passes over the gold answers as often as the others over the prompts, `sft_long` over as many as those sample.
    """
    factors = {SFT: gold_share, SFT_LONG: gold_share * budget.num_generations}
    return round(budget.steps * factors.get(method, 1.0))


def _trained(
    world: World, task: Task, policy: TextPolicy, method: Method, budget: Budget, steps: int, seed: int
) -> tuple[float, int]:
    """Train the policy; seconds and attempts."""
    with tempfile.TemporaryDirectory() as folder:
        result = backsight.finetune(
            policy,
            task,
            hindsight=method.hindsight,
            learning_rate=method.learning_rate,
            prompts_per_step=budget.prompts_per_step,
            num_generations=budget.num_generations,
            seed=seed,
            stop={"max_steps": steps},
            output_dir=folder,
            show_progress=False,
            **world.settings,
        )
    return result.progress.seconds, result.progress.attempts
