"""A cluster on one machine, by Ray's own simulator, and ranks that stop at a moment of a step to be killed there."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from backsight.cluster import launch
from backsight.distributed.environment import own_rank
from backsight.training import checkpoints, trainer
from backsight.training.checkpointer import Checkpointer
from backsight.training.trainer import Trainer

MOMENTS = ("sampling", "learning", "checkpoint")
LONGEST = 300.0
"""Seconds that a rank waits to be killed, and that others wait for it to get there."""
NUM_NODES = 2


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of a run, at which one of its ranks waits once."""

    what: str
    """One of `MOMENTS`: after the first group was sampled, before the optimizer changes the weights, or after a part of
    the checkpoint was written."""
    step: int
    """Number of steps that were done before it."""
    rank: int
    reached: Path
    """File that the rank writes, with the id of its node."""


class Cluster:
    """A simulated cluster of machines with one CPU each, beside the one that this process is on, which has none."""

    def __init__(self) -> None:
        os.environ |= {**launch.ENVIRONMENT, launch.ON_LOOPBACK: "0", "RAY_raylet_start_wait_time_s": "120"}
        from ray.cluster_utils import Cluster as Simulator

        self._simulator = Simulator(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        for _ in range(NUM_NODES):
            self.add_node()

    @property
    def address(self) -> str:
        return str(self._simulator.address)

    def add_node(self) -> None:
        """Add a machine."""
        self._simulator.add_node(num_cpus=1)

    def kill(self, node: str) -> None:
        """Kill all that runs on the machine of this id, at once."""
        (own,) = [each for each in self._simulator.worker_nodes if each.node_id == node]
        self._simulator.remove_node(own, allow_graceful=False)

    def shutdown(self) -> None:
        self._simulator.shutdown()


def kill_at(moment: Moment, cluster: Cluster, process: subprocess.Popen[Any]) -> float:
    """Kill the machine of the rank that waits, put another in its place, and return when it was killed."""
    until = time.monotonic() + LONGEST
    while not moment.reached.exists():
        assert process.poll() is None and time.monotonic() < until, (moment, process.stderr and process.stderr.read())
        time.sleep(0.05)
    killed = time.time()
    cluster.kill(moment.reached.read_text())
    cluster.add_node()
    return killed


def stop_at(moment: Moment, function: Callable[[], Any]) -> Any:
    """Do the work of a rank, and wait at the moment, unless somebody has waited there before."""
    if own_rank() == moment.rank and not moment.reached.exists():
        {"sampling": _in_sampling, "learning": _in_learning, "checkpoint": _in_checkpoint}[moment.what](moment)
    return function()


def _wait(moment: Moment) -> None:
    import ray

    draft = moment.reached.with_suffix(".draft")
    draft.write_text(ray.get_runtime_context().get_node_id())
    draft.rename(moment.reached)
    time.sleep(LONGEST)


def _in_sampling(moment: Moment) -> None:
    sample, collect = Trainer.sample, trainer.collect
    now = [-1]

    def noting(self: Trainer, step: int, attempts: int) -> Any:
        now[0] = step
        return sample(self, step, attempts)

    def waiting(*arguments: Any, **named: Any) -> Iterator[Any]:
        for each in collect(*arguments, **named):
            yield each
            if now[0] == moment.step:
                _wait(moment)

    Trainer.sample, trainer.collect = noting, waiting  # type: ignore[method-assign,assignment]


def _in_learning(moment: Moment) -> None:
    update = Trainer.update

    def waiting(self: Trainer, *arguments: Any) -> Any:
        if self.progress.step == moment.step:
            self.optimizer.register_step_pre_hook(lambda *_: _wait(moment))
        return update(self, *arguments)

    Trainer.update = waiting  # type: ignore[method-assign]


def _in_checkpoint(moment: Moment) -> None:
    save, save_file = Checkpointer.save, checkpoints.save_file
    now = [-1]

    def noting(self: Checkpointer, folder: Path, progress: Any, keep: int) -> None:
        now[0] = progress.step - 1
        save(self, folder, progress, keep)

    def waiting(*arguments: Any) -> None:
        save_file(*arguments)
        if now[0] == moment.step:
            _wait(moment)

    Checkpointer.save, checkpoints.save_file = noting, waiting  # type: ignore[method-assign,assignment]


@contextmanager
def stopping_at(moment: Moment) -> Iterator[None]:
    """Have a run that is placed on a cluster inside the block stop at the moment."""
    run_on_ranks = launch.run_on_ranks
    launch.run_on_ranks = lambda options, function: run_on_ranks(options, partial(stop_at, moment, function))
    try:
        yield
    finally:
        launch.run_on_ranks = run_on_ranks


def main(words: Iterable[str]) -> None:
    """Run the command line, with a moment to stop at before its own words."""
    from backsight.cli.main import main as run

    what, step, rank, reached, *own = words
    sys.argv[1:] = own
    with stopping_at(Moment(what, int(step), int(rank), Path(reached))):
        run()


if __name__ == "__main__":
    from benchmarks.scale import simulated  # what is sent to ranks has to be found by the name of its module

    simulated.main(sys.argv[1:])
