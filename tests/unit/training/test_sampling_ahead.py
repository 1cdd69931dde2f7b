"""One step off: what is sampled when, and in which thread."""

import threading

import pytest

from backsight.feedback.pool import PendingFeedback
from backsight.training.sampling_ahead import SamplingAhead


class Sampler:
    """Notes what it was asked for, and where."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []
        self.threads: list[threading.Thread] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def __call__(self, step: int, attempts: int) -> PendingFeedback:
        self.may_go_on.wait(timeout=10)
        self.asked.append((step, attempts))
        self.threads.append(threading.current_thread())
        return PendingFeedback(seed=step)


def test_the_first_step_is_sampled_here_and_the_next_one_elsewhere() -> None:
    sampler = Sampler()
    ahead = SamplingAhead(sampler)
    assert ahead.take(0, 0).seed == 0
    ahead.start(1, 6)
    assert ahead.take(1, 6).seed == 1
    assert sampler.asked == [(0, 0), (1, 6)]
    here, elsewhere = (each is threading.main_thread() for each in sampler.threads)
    assert here and not elsewhere
    ahead.discard()


def test_to_start_does_not_wait() -> None:
    sampler = Sampler()
    ahead = SamplingAhead(sampler)
    sampler.may_go_on.clear()
    ahead.start(1, 6)
    assert sampler.asked == []
    sampler.may_go_on.set()
    assert ahead.take(1, 6).seed == 1 and sampler.asked == [(1, 6)]
    ahead.discard()


def test_what_was_started_is_taken_once() -> None:
    sampler = Sampler()
    ahead = SamplingAhead(sampler)
    ahead.start(1, 6)
    ahead.take(1, 6)
    assert ahead.take(2, 12).seed == 2
    assert sampler.asked == [(1, 6), (2, 12)] and sampler.threads[-1] is threading.main_thread()
    ahead.discard()


def test_what_goes_wrong_elsewhere_is_raised_where_it_is_taken() -> None:
    def fails(step: int, attempts: int) -> PendingFeedback:
        raise ValueError(f"step {step}")

    ahead = SamplingAhead(fails)
    ahead.start(3, 0)
    with pytest.raises(ValueError, match="step 3"):
        ahead.take(3, 0)
    ahead.discard()


def test_to_discard_waits_for_what_is_under_way() -> None:
    sampler = Sampler()
    ahead = SamplingAhead(sampler)
    sampler.may_go_on.clear()
    ahead.start(1, 6)
    threading.Timer(0.05, sampler.may_go_on.set).start()
    ahead.discard()
    assert sampler.asked == [(1, 6)]
