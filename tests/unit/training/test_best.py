"""Which policy is kept, and what is said of it."""

import torch
from tiny_models import tiny_policy

from backsight.policies.base import trained_weights
from backsight.training.best import BestPolicy, Kept
from backsight.training.progress import Progress


def test_the_first_of_the_best_is_kept_and_comes_back() -> None:
    policy = tiny_policy()
    (weight, *_) = trained_weights(policy.module).values()
    best, progress, values = BestPolicy(policy), Progress(), []
    for step, score in enumerate([0.1, 0.3, 0.2, 0.3]):
        with torch.no_grad():
            weight.fill_(float(step))
        progress.step = step
        best.consider(progress, score)
        values.append((progress.best_step, progress.best_score))
    assert values == [(0, 0.1), (1, 0.3), (1, 0.3), (1, 0.3)]
    best.restore()
    assert bool((weight == 1.0).all())


def test_the_policy_of_the_start_counts_before_any_score_does() -> None:
    policy = tiny_policy()
    before = {name: weight.detach().clone() for name, weight in trained_weights(policy.module).items()}
    best = BestPolicy(policy)
    with torch.no_grad():
        next(iter(trained_weights(policy.module).values())).add_(1.0)
    best.restore()
    assert all(torch.equal(weight, before[name]) for name, weight in trained_weights(policy.module).items())


def test_both_scores_are_said() -> None:
    assert Kept("dev", 4, 0.5, 4, 0.5).message == "keep_best: saved the last policy, of step 4, the best on dev (0.500)"
    assert Kept("dev", 2, 0.5, 4, 0.25).message == (
        "keep_best: saved the policy of step 2 (0.500 on dev); the last one, of step 4, has 0.250"
    )
    assert Kept("dev", 0, 0.5, 4, 0.25).message == (
        "keep_best: saved the policy of the start (0.500 on dev): no step made it better; "
        "the last one, of step 4, has 0.250"
    )
