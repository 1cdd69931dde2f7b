import pytest

from backsight.training.config import StopConfig, TrainingConfig
from backsight.training.progress import Progress, draw_starts, learning_rate, stop_reason, used_share


@pytest.mark.parametrize(
    ("stop", "progress", "reason"),
    [
        (StopConfig(max_steps=3), Progress(step=3), "max_steps=3 reached"),
        (StopConfig(max_attempts=10), Progress(attempts=12), "max_attempts=10 reached"),
        (StopConfig(max_tokens=10), Progress(tokens=10), "max_tokens=10 reached"),
        (StopConfig(max_seconds=1.5), Progress(seconds=1.6), "max_seconds=1.5 reached"),
        (StopConfig(target=0.9), Progress(scores=[0.2, 0.95]), "target=0.9 reached"),
        (StopConfig(patience=2), Progress(scores=[0.5, 0.4, 0.5]), "plateau: no better score in 2 evaluations"),
        (StopConfig(max_steps=3), Progress(is_interrupted=True), "interrupted"),
    ],
)
def test_each_condition_stops_and_says_so(stop: StopConfig, progress: Progress, reason: str) -> None:
    assert stop_reason(stop, progress) == reason


def test_nothing_stops_before_its_time() -> None:
    stop = StopConfig(max_steps=3, max_attempts=10, max_seconds=5, target=0.9, patience=2)
    assert stop_reason(stop, Progress(step=2, attempts=9, seconds=4, scores=[0.1, 0.2, 0.15])) is None


def test_the_nearest_budget_counts() -> None:
    assert used_share(StopConfig(max_steps=10, max_attempts=100), Progress(step=2, attempts=50)) == 0.5


@pytest.mark.parametrize(("kind", "expected"), [("constant", 1.0), ("linear", 0.75), ("cosine", 0.853553)])
def test_the_rate_falls_with_the_share_of_the_budget(kind: str, expected: float) -> None:
    config = TrainingConfig(stop=StopConfig(max_steps=4), learning_rate=1.0, lr_scheduler_type=kind)  # type: ignore[arg-type]
    assert learning_rate(config, Progress(step=1)) == pytest.approx(expected)


def test_warm_up_rises_to_the_full_rate() -> None:
    config = TrainingConfig(stop=StopConfig(max_steps=100), learning_rate=1.0, warmup_steps=4)
    assert [learning_rate(config, Progress(step=step)) for step in (0, 1, 3, 50)] == [0.25, 0.5, 1.0, 1.0]


def test_a_pass_takes_every_start_once() -> None:
    starts = list(range(10))
    first = [start for step in range(5) for start in draw_starts(starts, 2 * step, 2, seed=0)]
    second = [start for step in range(5, 10) for start in draw_starts(starts, 2 * step, 2, seed=0)]
    assert sorted(first) == sorted(second) == starts
    assert first != second != starts
