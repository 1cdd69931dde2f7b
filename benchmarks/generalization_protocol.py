"""One protocol for all worlds: a warm-up on gold answers, then each method on the same further prompts.

A world has a base policy, a task with labelled items, a split in domain and others out of it. A first share of the
labelled items warms the policy up; from there each method goes on with the rest: `sft` imitates their gold answers in
as many passes as the methods that sample make, `sft_long` in as many rows as those sample attempts, `outcome` is plain
reinforcement learning, and the others look back. Each method takes the learning rate of a few that serves it best
on a dev split in domain, with the first seed; nobody chooses by what is reported. Each run leaves a cell: the scores of
every item on all splits, and what it forgot of general text.
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import fmean
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
DEV = "dev"
"""The split that learning rates are chosen on."""


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
    """Of each split; of the dev split as many as it has, up to that."""
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
    sees_gold: bool = False
    """Whether gold answers are revealed to it."""


SUPERVISED = Method("supervised", sees_gold=True)
WITHOUT_HINDSIGHT: Mapping[str, Method] = {SFT: SUPERVISED, SFT_LONG: SUPERVISED, OUTCOME: Method("outcome")}
"""What looking back is held against."""


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
    dev: Task
    """More items in domain, as the split `DEV`; to choose by, not to report."""
    general_text: Sequence[str]
    """Held-out texts like those that the base has read; none where the policy says no text."""


@dataclass(frozen=True, slots=True)
class World:
    """What is learnt, and how."""

    name: str
    family: str
    """Worlds of one family are counted together."""
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
    learning_rates: tuple[float, ...]
    """That each method chooses from."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of all runs."""

    def rehearsal(self) -> World:
        """With a tiny budget, one seed and one learning rate."""
        rates, budget = self.learning_rates[:1], self.budget.rehearsal()
        return replace(self, seeds=self.seeds[:1], learning_rates=rates, budget=budget)

    @property
    def splits(self) -> tuple[str, ...]:
        return (self.in_domain, *self.out_of_domain)


@dataclass(frozen=True, slots=True)
class Cell:
    """What came of one run."""

    learning_rate: float
    dev: float
    """The mean score on the dev split."""
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


def cells_of(world: World, folder: Path) -> Iterator[tuple[str, int, Cell]]:
    """Method, seed and cell of every run: those that are kept already, and the others as they are done.

    The first seed has a run for each learning rate, the others for the chosen one.
    """
    ground: Ground | None = None
    for seed in world.seeds:
        warm = folder / f"{WARM_UP}-{seed}"
        for method in (WARM_UP, *world.methods):
            rates = _rates(world, method) if seed == world.seeds[0] else (_chosen(world, folder, method),)
            for rate in rates:
                path = _place(folder, method, rate, seed)
                if not path.exists():
                    folder.mkdir(parents=True, exist_ok=True)
                    ground = ground or world.prepare(world.budget, folder)
                    if not warm.exists():
                        _warm_up(world, ground, seed, warm)
                    cell = _run(world, ground, method, rate, seed, warm)
                    write_whole(path, json.dumps(asdict(cell)))
                yield method, seed, _read(path)
        shutil.rmtree(warm, ignore_errors=True)  # no run of this seed needs it any more


def kept_cells(world: World, folder: Path) -> dict[str, list[Cell]] | None:
    """By method, with its chosen learning rate, in the order of the seeds; None while one is missing."""
    kept = {}
    for method in (WARM_UP, *world.methods):
        first = [_place(folder, method, rate, world.seeds[0]) for rate in _rates(world, method)]
        if not all(path.exists() for path in first):
            return None
        rate = _chosen(world, folder, method)
        paths = [_place(folder, method, rate, seed) for seed in world.seeds]
        if not all(path.exists() for path in paths):
            return None
        kept[method] = [_read(path) for path in paths]
    return kept


def _rates(world: World, method: str) -> tuple[float, ...]:
    """Those that a method chooses from."""
    return (world.warm_up_learning_rate,) if method == WARM_UP else world.learning_rates


def _chosen(world: World, folder: Path, method: str) -> float:
    """The learning rate with the best score on the dev split; of equal ones the lowest."""
    cells = [_read(_place(folder, method, rate, world.seeds[0])) for rate in _rates(world, method)]
    return max(cells, key=lambda cell: (cell.dev, -cell.learning_rate)).learning_rate


def _place(folder: Path, method: str, rate: float, seed: int) -> Path:
    return folder / f"{method}-{rate:g}-{seed}.json"


def _read(path: Path) -> Cell:
    return Cell(**json.loads(path.read_text()))


def _warm_up(world: World, ground: Ground, seed: int, folder: Path) -> None:
    """Leave the warmed-up policy in the folder, with its training time."""
    policy = load_policy(str(ground.base), labels=ground.evaluation.labels)
    steps = math.ceil(world.budget.warm_up_passes * len(ground.warm_up.items("train")) / world.budget.prompts_per_step)
    rate = world.warm_up_learning_rate
    seconds, _ = _trained(world, ground.warm_up, policy, SUPERVISED, rate, steps, seed)
    draft = folder.with_suffix(".part")
    shutil.rmtree(draft, ignore_errors=True)
    policy.save(draft)
    (draft / "seconds.json").write_text(json.dumps(seconds))
    draft.rename(folder)


def _run(world: World, ground: Ground, method: str, rate: float, seed: int, warm: Path) -> Cell:
    """The cell of a method that goes on from the warmed-up policy, or of that policy itself."""
    policy = load_policy(str(warm), labels=ground.evaluation.labels)
    budget, attempts, labels = world.budget, 0, len(ground.warm_up.items("train"))
    if method == WARM_UP:
        base = load_policy(str(ground.base), labels=ground.evaluation.labels)
        before = text_log_probs(base, ground.general_text)
        seconds = json.loads((warm / "seconds.json").read_text())
    else:
        before = text_log_probs(policy, ground.general_text)
        own = world.methods[method]
        is_supervised = method in (SFT, SFT_LONG)
        task = ground.gold if is_supervised else ground.attempted
        steps = steps_of(method, budget, len(ground.gold.items("train")) / len(ground.attempted.items("train")))
        seconds, attempts = _trained(world, task, policy, own, rate, steps, seed)
        attempts = 0 if is_supervised else attempts
        if own.sees_gold:
            labels += min(len(task.items("train")), steps * budget.prompts_per_step)
    after = text_log_probs(policy, ground.general_text)
    return Cell(
        rate,
        fmean(_scores(world, policy, ground.dev, (DEV,))[DEV]),
        _scores(world, policy, ground.evaluation, world.splits),
        [one - two for one, two in zip(before, after, strict=True)],
        attempts,
        labels,
        seconds,
    )


def _scores(world: World, policy: TextPolicy, task: Task, splits: Sequence[str]) -> dict[str, list[float]]:
    """One greedy attempt at each item, by split."""
    length, items = world.settings.get("max_completion_length", 64), world.budget.eval_items
    scores = backsight.evaluate(policy, task, splits=splits, items=items, max_completion_length=length)
    return {split: [value or 0.0 for value in each.item_rewards["reward"]] for split, each in scores.items()}


def steps_of(method: str, budget: Budget, gold_share: float) -> int:
    """How long a method trains; `gold_share` is the number of gold answers to an item that is attempted.

    `sft` passes over the gold answers as often as the others over the prompts, `sft_long` over as many as those sample.
    """
    factors = {SFT: gold_share, SFT_LONG: gold_share * budget.num_generations}
    return round(budget.steps * factors.get(method, 1.0))


def _trained(
    world: World, task: Task, policy: TextPolicy, method: Method, rate: float, steps: int, seed: int
) -> tuple[float, int]:
    """Train the policy; seconds and attempts."""
    with tempfile.TemporaryDirectory() as folder:
        result = backsight.finetune(
            policy,
            task,
            hindsight=method.hindsight,
            learning_rate=rate,
            prompts_per_step=world.budget.prompts_per_step,
            num_generations=world.budget.num_generations,
            seed=seed,
            stop={"max_steps": steps},
            output_dir=folder,
            show_progress=False,
            **world.settings,
        )
    return result.progress.seconds, result.progress.attempts
