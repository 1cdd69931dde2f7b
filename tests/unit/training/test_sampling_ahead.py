"""What is sampled ahead: when, where, and with which weights."""

import copy
import threading
from typing import Any

import pytest
import torch
from tiny_models import tiny_classifier

from backsight.feedback.pool import PendingFeedback
from backsight.policies.base import trained_weights
from backsight.policies.classifier import ClassifierPolicy
from backsight.rollouts.engines import engine_for
from backsight.training.config import StopConfig, TrainingConfig
from backsight.training.progress import Progress
from backsight.training.sampling_ahead import Sample, SamplingAhead

STOP = StopConfig(max_steps=100)


class Sampler:
    """Notes what it was asked for, where, and with which weights."""

    def __init__(self, actor: ClassifierPolicy) -> None:
        self.actor = actor
        self.asked: list[tuple[int, int]] = []
        self.versions: list[float] = []
        self.threads: list[threading.Thread] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def __call__(self, step: int, attempts: int) -> PendingFeedback:
        self.may_go_on.wait(timeout=10)
        self.asked.append((step, attempts))
        self.versions.append(version_of(self.actor))
        self.threads.append(threading.current_thread())
        return PendingFeedback(seed=step)


class Run:
    """A run of a policy whose weights are all the number of steps that it has learnt."""

    def __init__(self, staleness: int, stop: StopConfig = STOP, sample: Sample | None = None) -> None:
        self.policy: ClassifierPolicy = tiny_classifier(("bad", "good"))
        self.progress = Progress()
        actor = copy.deepcopy(self.policy)
        self.sampler = Sampler(actor)
        config = TrainingConfig(
            max_staleness=staleness, stop=stop, prompts_per_step=2, num_generations=3, loss_type="tis"
        )
        self.ahead = SamplingAhead(engine_for(actor), actor, sample or self.sampler, config, 3)
        set_version(self.policy, 0)

    def step(self) -> tuple[int, int]:
        """Take a step, and return which one was sampled, and how old its weights are."""
        pending = self.ahead.take(self.progress, self.policy)
        self.progress.step += 1
        self.progress.attempts += 6
        set_version(self.policy, self.progress.step)
        return pending.seed, int(self.ahead.metrics["sampling/staleness"])


def set_version(policy: ClassifierPolicy, version: int) -> None:
    with torch.no_grad():
        for weight in trained_weights(policy.module).values():
            weight.fill_(version)


def version_of(policy: ClassifierPolicy) -> float:
    return float(next(iter(trained_weights(policy.module).values())).detach().flatten()[0])


@pytest.mark.parametrize("staleness", [1, 2, 3])
def test_a_step_has_the_weights_from_so_many_steps_before(staleness: int) -> None:
    run = Run(staleness)
    taken = [run.step() for _ in range(6)]
    run.ahead.discard()
    assert taken == [(step, min(step, staleness)) for step in range(6)]
    assert run.sampler.versions[:6] == [max(0, step - staleness) for step in range(6)]
    assert run.sampler.asked[:6] == [(step, 6 * step) for step in range(6)]
    assert len(set(run.sampler.threads)) == 1 and run.sampler.threads[0] is not threading.main_thread()


def test_a_step_is_begun_before_the_one_in_front_is_taken() -> None:
    run = Run(2)
    run.step()
    run.sampler.may_go_on.clear()
    threading.Timer(0.05, run.sampler.may_go_on.set).start()
    run.step()
    run.ahead.discard()
    assert [step for step, _ in run.sampler.asked][:3] == [0, 1, 2]


@pytest.mark.parametrize("stop", [StopConfig(max_steps=3), StopConfig(max_attempts=17)])
def test_nothing_is_sampled_beyond_the_end(stop: StopConfig) -> None:
    run = Run(4, stop)
    for _ in range(3):
        run.step()
    run.ahead.discard()
    assert [step for step, _ in run.sampler.asked] == [0, 1, 2]


def test_a_step_that_was_not_foreseen_is_sampled_once_it_is_needed() -> None:
    """A step of fewer attempts than were asked for leaves room for another."""
    run = Run(1, StopConfig(max_attempts=12))
    run.step(), run.step()
    run.progress.attempts -= 1
    assert run.step() == (2, 1)
    assert run.sampler.versions == [0, 0, 1]


def test_what_goes_wrong_elsewhere_is_raised_where_it_is_taken() -> None:
    def fails(step: int, attempts: int) -> PendingFeedback:
        raise ValueError(f"step {step}")

    run = Run(1, sample=fails)
    with pytest.raises(ValueError, match="step 0"):
        run.step()
    run.ahead.discard()


def test_to_discard_waits_for_what_is_under_way_and_begins_no_more() -> None:
    asked, finished = list[int](), list[int]()
    is_begun, may_go_on = threading.Event(), threading.Event()

    def sample(step: int, attempts: int) -> PendingFeedback:
        asked.append(step)
        if step == 1:
            is_begun.set()
            may_go_on.wait(timeout=10)
        finished.append(step)
        return PendingFeedback(seed=step)

    run = Run(3, sample=sample)
    run.step()
    is_begun.wait(timeout=10)
    threading.Timer(0.05, may_go_on.set).start()
    run.ahead.discard()
    assert asked == finished == [0, 1]
    assert len(run.ahead.weights()) == 3, "a checkpoint still holds what the steps ahead have to be sampled with"


def test_whoever_pauses_has_the_engine_alone() -> None:
    run = Run(1)
    run.step()
    run.ahead.discard()
    with run.ahead.paused():
        thread = threading.Thread(target=run.step)
        thread.start()
        thread.join(0.05)
        assert thread.is_alive() and len(run.sampler.asked) <= 2
        asked = len(run.sampler.asked)
    thread.join()
    run.ahead.discard()
    assert len(run.sampler.asked) > asked


@pytest.mark.parametrize("stop", [STOP, StopConfig(max_steps=2)])
def test_a_resumed_run_samples_what_was_under_way_with_the_weights_it_had(stop: StopConfig) -> None:
    """Also one that had come to its end, and is made longer."""
    straight = Run(2)
    expected = [straight.step() for _ in range(5)]
    straight.ahead.discard()

    first = Run(2, stop)
    taken: list[Any] = [first.step() for _ in range(2)]
    first.ahead.discard()
    state, weights = first.ahead.state(), [dict(each) for each in first.ahead.weights()]
    assert len(weights) == 2

    second = Run(2)
    second.progress = first.progress
    set_version(second.policy, 2)
    second.ahead.resume(state, lambda place: weights[place])
    taken += [second.step() for _ in range(3)]
    second.ahead.discard()
    assert taken == expected
    assert second.sampler.asked[:3] == straight.sampler.asked[2:5]
    assert second.sampler.versions[:3] == straight.sampler.versions[2:5] == [0, 1, 2]
