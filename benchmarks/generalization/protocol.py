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
from functools import cache, partial
from pathlib import Path
from statistics import fmean
from typing import Any

import backsight
from backsight import load_policy
from backsight.comparison.runner import Job, do_once, read_record
from backsight.evaluation.forgetting import text_log_probs
from backsight.policies.text import TextPolicy
from backsight.tasks.base import Item, PromptTask, Task
from backsight.types import Feedback, Observation

WARM_UP, SFT, SFT_LONG, OUTCOME = "warm-up", "sft", "sft_long", "outcome"
CONTROLS = (SFT, SFT_LONG, OUTCOME)
DEV = "dev"
"""The split that learning rates are chosen on."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How much of everything a run gets."""

    labels: int
    """Number of items of the train split that are used at all."""
    warm_up_labels: int
    """Number of those that warm the policy up."""
    warm_up_passes: int
    steps: int
    """Number of steps of the methods that sample."""
    eval_items: int
    """Number of items of each split that are evaluated; of the dev split as many as it has, up to that."""
    prompts_per_step: int = 32
    num_generations: int = 8
    base_steps: int = 0
    """Number of steps in which a base is made from nothing."""

    def rehearsal(self) -> Budget:
        """Return a budget of as little as shows that everything runs."""
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
    """The method as `backsight.finetune` takes it."""
    sees_gold: bool = False
    """Whether gold answers are revealed to it."""


SUPERVISED = Method("supervised", sees_gold=True)
WITHOUT_HINDSIGHT: Mapping[str, Method] = {SFT: SUPERVISED, SFT_LONG: SUPERVISED, OUTCOME: Method("outcome")}
"""The methods that looking back is held against."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Everything that the runs of a world share."""

    base: Path
    """The folder of the base policy."""
    warm_up: Task
    """The gold answers to warm up on."""
    gold: Task
    """The gold answers of the other labelled items."""
    attempted: Task
    """The items of `gold` as something to attempt."""
    evaluation: Task
    """The splits that are reported."""
    dev: Task
    """More items in domain, as the split `DEV`: learning rates are chosen by them, and nothing is reported."""
    general_text: Sequence[str]
    """Held-out texts like those that the base has read; there are none where the policy says no text."""


@dataclass(frozen=True, slots=True)
class World:
    """What is learnt, and how."""

    name: str
    family: str
    """Worlds of one family are counted together."""
    in_domain: str
    """The name of the split in domain."""
    out_of_domain: tuple[str, ...]
    """The names of the splits out of domain."""
    seeds: tuple[int, ...]
    budget: Budget
    methods: Mapping[str, Method]
    """The methods: each of `CONTROLS`, and those that look back."""
    prepare: Callable[[Budget, Path], Ground]
    """Makes the ground from a budget and a folder for what is to be kept."""
    warm_up_learning_rate: float
    learning_rates: tuple[float, ...]
    """The learning rates that each method chooses from."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of all runs."""

    def rehearsal(self) -> World:
        """Return the world with a tiny budget, one seed and one learning rate."""
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
    """The score of each item, by split."""
    forgotten: list[float]
    """Nats a token that each general text lost since the warm-up; of the warm-up itself, since the base."""
    attempts: int
    labels: int
    """Number of gold answers that were revealed, those of the warm-up included."""
    seconds: float
    """Seconds of training."""


class Part(PromptTask):
    """Some items of a task, to learn from or, where there are `eval_splits`, to evaluate on.

    Of episodes these are single turns to imitate, which nobody judges.
    """

    def __init__(self, whole: Task, items: Sequence[Item], eval_splits: tuple[str, ...] = ()) -> None:
        self.whole, self.parts, self.eval_splits = whole, list(items), eval_splits
        self.name, self.labels, self.full_marks = whole.name, whole.labels, whole.full_marks

    def items(self, split: str) -> Sequence[Item]:
        return self.parts

    def judge(self, item: Item, completion: str) -> Feedback:
        assert isinstance(self.whole, PromptTask)
        return self.whole.judge(item, completion)

    def relabel_prompt(self, item: Item, completion: str, seed: int) -> Observation | None:
        assert isinstance(self.whole, PromptTask)
        return self.whole.relabel_prompt(item, completion, seed)


def divide_labels(task: Task, budget: Budget) -> tuple[Part, Part]:
    """Divide the labelled items of a task into those to warm up on and those to go on with."""
    items = task.items(task.train_split)[: budget.labels]
    return Part(task, items[: budget.warm_up_labels]), Part(task, items[budget.warm_up_labels :])


def do_runs(world: World, folder: Path) -> Iterator[tuple[str, int, Cell]]:
    """Yield method, seed and cell of every run: those that are kept already, and the others as they are done.

    The first seed has a run for each learning rate, the others for the chosen one.
    """
    ground = cache(partial(_prepare, world, folder))  # not needed while all runs are kept
    for seed in world.seeds:
        warm = folder / f"{WARM_UP}-{seed}"
        for method in (WARM_UP, *world.methods):
            rates = _list_rates(world, method)
            if seed != world.seeds[0]:
                rates = (choose_rate(_read_cells(folder, method, rates, world.seeds[:1])),)
            for rate in rates:
                work = partial(_run, world, ground, method, rate, warm)
                yield method, seed, Cell(**do_once(_make_job(method, rate, seed), work, folder))
        shutil.rmtree(warm, ignore_errors=True)  # no run of this seed needs it any more


def read_runs(world: World, folder: Path) -> dict[str, list[Cell]] | None:
    """Return the cells of each method with its chosen learning rate, in the order of the seeds; None while one is
    missing."""
    kept = {}
    for method in (WARM_UP, *world.methods):
        rates = _list_rates(world, method)
        tried = _read_cells(folder, method, rates, world.seeds[:1])
        if len(tried) < len(rates):
            return None
        kept[method] = _read_cells(folder, method, (choose_rate(tried),), world.seeds)
        if len(kept[method]) < len(world.seeds):
            return None
    return kept


def choose_rate(cells: Sequence[Cell]) -> float:
    """Return the learning rate with the best score on the dev split; of equal ones the lowest."""
    return max(cells, key=lambda cell: (cell.dev, -cell.learning_rate)).learning_rate


def _list_rates(world: World, method: str) -> tuple[float, ...]:
    """Return the learning rates that a method chooses from."""
    return (world.warm_up_learning_rate,) if method == WARM_UP else world.learning_rates


def _make_job(method: str, rate: float, seed: int) -> Job:
    return Job(f"{method}-{rate:g}", seed)


def _read_cells(folder: Path, method: str, rates: Sequence[float], seeds: Sequence[int]) -> list[Cell]:
    """Return those cells of these rates and seeds that are kept."""
    records = [read_record(_make_job(method, rate, seed), folder) for rate in rates for seed in seeds]
    return [Cell(**record) for record in records if record is not None]


def _prepare(world: World, folder: Path) -> Ground:
    folder.mkdir(parents=True, exist_ok=True)
    return world.prepare(world.budget, folder)


def _warm_up(world: World, ground: Ground, seed: int, folder: Path) -> None:
    """Leave the warmed-up policy in the folder, with its training time."""
    policy = load_policy(str(ground.base), labels=ground.evaluation.labels)
    steps = math.ceil(world.budget.warm_up_passes * len(ground.warm_up.items("train")) / world.budget.prompts_per_step)
    rate = world.warm_up_learning_rate
    seconds, _ = _train(world, ground.warm_up, policy, SUPERVISED, rate, steps, seed)
    draft = folder.with_suffix(".part")
    shutil.rmtree(draft, ignore_errors=True)
    policy.save(draft)
    (draft / "seconds.json").write_text(json.dumps(seconds))
    draft.rename(folder)


def _run(world: World, prepare: Callable[[], Ground], method: str, rate: float, warm: Path, job: Job) -> dict[str, Any]:
    """Return the cell of a method that goes on from the warmed-up policy, or of that policy itself."""
    ground = prepare()
    if not warm.exists():
        _warm_up(world, ground, job.seed, warm)
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
        steps = count_steps(method, budget, len(ground.gold.items("train")) / len(ground.attempted.items("train")))
        seconds, attempts = _train(world, task, policy, own, rate, steps, job.seed)
        attempts = 0 if is_supervised else attempts
        if own.sees_gold:
            labels += min(len(task.items("train")), steps * budget.prompts_per_step)
    after = text_log_probs(policy, ground.general_text)
    cell = Cell(
        rate,
        fmean(_score(world, policy, ground.dev, (DEV,))[DEV]),
        _score(world, policy, ground.evaluation, world.splits),
        [one - two for one, two in zip(before, after, strict=True)],
        attempts,
        labels,
        seconds,
    )
    return asdict(cell)


def _score(world: World, policy: TextPolicy, task: Task, splits: Sequence[str]) -> dict[str, list[float]]:
    """Score one greedy attempt at each item, by split."""
    length, items = world.settings.get("max_completion_length", 64), world.budget.eval_items
    found = backsight.evaluate(policy, task, splits=splits, eval_items=items, max_completion_length=length)
    return {split: [value or 0.0 for value in each.item_rewards["reward"]] for split, each in found.splits.items()}


def count_steps(method: str, budget: Budget, gold_share: float) -> int:
    """Count the steps that a method trains; `gold_share` is the number of gold answers to an item that is attempted.

    `sft` passes over the gold answers as often as the others over the prompts, `sft_long` over as many as those sample.
    """
    factors = {SFT: gold_share, SFT_LONG: gold_share * budget.num_generations}
    return round(budget.steps * factors.get(method, 1.0))


def _train(
    world: World, task: Task, policy: TextPolicy, method: Method, rate: float, steps: int, seed: int
) -> tuple[float, int]:
    """Train the policy; return the seconds and the attempts."""
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
