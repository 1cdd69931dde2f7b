"""Ray, in this one file: ranks by Ray Train, and other work as tasks."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import os
import signal
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import ray
import ray.exceptions
import ray.train
from ray.train.torch import TorchConfig, TorchTrainer
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from backsight.cluster.launch import check_room, own_cpus
from backsight.cluster.options import ClusterConfig
from backsight.cluster.terminal import ERR, OUT, News, Relay, Terminal, own_manners, own_streams
from backsight.distributed.environment import HOST_VARIABLE, own_rank
from backsight.errors import BacksightError, ConfigError, RankError, border, reason
from backsight.interfaces import Pending, Place
from backsight.interrupts import SIGNALS, ask_to_end, calling_on_interrupt

_T = TypeVar("_T")

MOST_WAITS = 10
"""Most times that ranks are placed in vain, a minute each, before the run ends: a machine may take its place late."""
SECONDS_TO_BEGIN = 60.0
"""Seconds beyond its own time that a task has for a process to begin in, and for CPUs to become free."""
LOST = "ranks were lost; the run goes on from its newest checkpoint"
_HERE = "this machine"


@dataclass(frozen=True, slots=True)
class _Job:
    """What is sent to each rank."""

    function: Callable[[], Any]
    terminal: Any
    """The `Terminal`, as Ray lets others call it."""
    place: str
    """The folder that paths are relative to."""
    manners: dict[str, str]
    is_terminal: bool


def run_on_ranks(options: ClusterConfig, function: Callable[[], _T]) -> _T:
    """See `backsight.cluster.launch.run_on_ranks`."""
    manners, is_terminal = own_manners(), os.isatty(1)
    with own_streams() as show, _connected(options), tempfile.TemporaryDirectory(prefix="backsight-ray-") as folder:
        check_room(options, [node["Resources"] for node in ray.nodes() if node["Alive"]])
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        terminal = ray.remote(Terminal).options(num_cpus=0, scheduling_strategy=here).remote()
        job = _Job(function, terminal, os.getcwd(), manners, is_terminal)
        resources: dict[str, float] = {"CPU": options.cpus_per_worker, "GPU": options.gpus_per_worker}
        trainer = TorchTrainer(
            lambda: _do(job),
            torch_config=TorchConfig(backend="cpu:gloo,cuda:nccl" if options.gpus_per_worker else "gloo"),
            scaling_config=ray.train.ScalingConfig(
                num_workers=options.num_workers, use_gpu=bool(options.gpus_per_worker), resources_per_worker=resources
            ),
            run_config=ray.train.RunConfig(
                name="run",
                storage_path=folder,  # Ray's own notes; the run folder is where backsight puts it
                failure_config=ray.train.FailureConfig(
                    max_failures=options.max_failures, controller_failure_limit=MOST_WAITS
                ),
            ),
        )
        done = _in_background(trainer.fit)
        _follow(terminal, done, show)
        try:
            answer: _T = done.result().return_value
        except ray.train.TrainingFailedError as error:
            raise _cause(error, options) from error
        return answer


@contextmanager
def _connected(options: ClusterConfig) -> Iterator[None]:
    """Be a part of the cluster inside the block. What was started here for it ends with the block."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    named = options.address or _HERE

    def refusal(why: str) -> ConfigError:
        return ConfigError("cluster.address", named, f"Ray refuses ({why}); give the address that `ray start` printed")

    with border(refusal):
        start = partial(ray.init, options.address or "local", log_to_driver=False, logging_level="ERROR")
        if options.address is None:
            start = partial(start, num_cpus=own_cpus(), include_dashboard=False, _node_ip_address="127.0.0.1")
        start()
    for number, handler in before.items():  # Ray puts its own in their place
        signal.signal(number, handler)
    try:
        yield
    finally:
        ray.shutdown()


def _in_background(function: Callable[[], _T]) -> Future[_T]:
    """Call the function in a thread that ends with the process, and return its result to be."""
    future: Future[_T] = Future()

    def call() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # raised again where the result is asked for
            future.set_exception(error)

    threading.Thread(target=call, name="ray train", daemon=True).start()
    return future


def _follow(terminal: Any, done: Future[Any], show: Callable[[News], None]) -> None:
    """Print what the ranks say until they are done.

    Raises:
        BacksightError: what a rank ends the run with.
    """
    is_to_end = threading.Event()
    with calling_on_interrupt(is_to_end.set):
        while True:
            is_over = done.done()  # asked first: what was said before is read after it
            news = ray.get(terminal.read.remote())
            show(news)
            if news.ending is not None:
                raise news.ending
            if is_to_end.is_set():
                terminal.ask_to_end.remote()
                is_to_end.clear()
            if is_over and not news.lines:
                return


def _cause(error: ray.train.TrainingFailedError, options: ClusterConfig) -> BaseException:
    """Return why ranks failed for the last time: a fault that one of them met, or that they were lost."""
    of_ray = getattr(error, "controller_failure", None)
    for each in getattr(error, "worker_failures", {0: of_ray}).values():
        met: BaseException = getattr(each, "_base_exc", each)
        is_start = type(met).__name__.startswith("WorkerGroupStartup")  # Ray keeps these classes to itself
        if not is_start and not isinstance(met, RankError | ray.exceptions.RayError):
            met.__cause__ = None if met is each else each  # which holds the trace of the rank
            return met
    if of_ray is not None:
        remedy = "there was no room for the ranks any more; the run goes on with --resume once there is"
        return RankError("cluster.num_workers", options.num_workers, remedy)
    remedy = "ranks were lost once more than that; the run goes on from its newest checkpoint with --resume"
    return RankError("cluster.max_failures", options.max_failures, remedy)


def _do(job: _Job) -> Any:
    """Do the job as one of the ranks, in the thread that Ray Train has for that."""

    def send(stream: str, text: str) -> None:
        ray.get(job.terminal.write.remote(stream, text))  # waited for: calls under way overtake each other

    out, err = (Relay(partial(send, name), job.is_terminal) for name in (OUT, ERR))
    os.environ.update(job.manners)
    with redirect_stdout(out), redirect_stderr(err):
        try:
            _enter(job.place)
            if own_rank() == 0:
                if ray.get(job.terminal.count_start.remote()):
                    print(LOST)
                threading.Thread(target=_listen, args=(job.terminal,), daemon=True).start()
            return job.function()
        except RankError:
            raise
        except BacksightError as error:  # the next start would meet it as well
            ray.get(job.terminal.end.remote(error))
            raise
        finally:
            out.flush()
            err.flush()


def _enter(place: str) -> None:
    try:
        os.chdir(place)
    except OSError as error:
        remedy = f"a machine of the cluster cannot enter it ({reason(error)}); start in a folder that all of them have"
        raise ConfigError("cluster", place, remedy) from error


def _listen(terminal: Any) -> None:
    """Wait until the user wants the run to end, and then until it can."""
    with suppress(ray.exceptions.RayError):  # the program that has placed the run is gone, and the run with it
        ray.get(terminal.wait_for_end.remote())
        while not ask_to_end():
            time.sleep(0.1)


def tasks(options: ClusterConfig) -> Place:
    """See `backsight.cluster.launch.tasks`."""
    remote = ray.remote(_do_task).options(
        num_cpus=options.reward_cpus or 0, max_retries=options.reward_retries, retry_exceptions=True
    )
    here = os.getcwd()

    def place(work: Callable[[], _T], seconds: float) -> Pending[_T]:
        task = remote.remote(work, here)
        longest = (seconds + SECONDS_TO_BEGIN) * (1 + options.reward_retries)

        def wait() -> _T:
            try:
                answer: _T = ray.get(task, timeout=longest)
            except ray.exceptions.GetTimeoutError as error:
                raise TimeoutError from error
            except ray.exceptions.RayTaskError as error:
                raise error.cause from error
            return answer

        def cancel() -> None:
            answered, _ = ray.wait([task], timeout=0)
            if not answered:  # to cancel others may end the whole process: Ray 2.60 finds itself in disorder then
                ray.cancel(task, force=True)

        return Pending(wait, cancel)

    return place


def _do_task(work: Callable[[], Any], place: str) -> Any:
    _enter(place)
    return work()


class Hosts:
    """Processes that keep objects, one after the other in turn; see `backsight.cluster.launch.host`."""

    def __init__(self, count: int, num_gpus: int) -> None:
        remote = ray.remote(_Keeper).options(num_cpus=1, num_gpus=num_gpus)
        self._keepers = [remote.remote(os.getcwd()) for _ in range(count)]
        self._next = itertools.count()

    def keep(self, make: Callable[[], Any]) -> Callable[..., Awaitable[Any]]:
        number = next(self._next)
        keeper = self._keepers[number % len(self._keepers)]
        making = keeper.make.remote(number, make)

        async def call(name: str, *arguments: Any, **named: Any) -> Any:
            try:
                await making
                return await keeper.call.remote(number, name, arguments, named)
            except ray.exceptions.RayTaskError as error:
                raise error.cause from error
            except ray.exceptions.RayActorError as error:
                remedy = "with what it kept for the ranks; the run goes on from its newest checkpoint"
                raise RankError("cluster", "a machine has ended", remedy) from error

        return call


class _Keeper:
    """One of these processes. It forgets an object once its method `close` was called."""

    def __init__(self, place: str) -> None:
        _enter(place)
        os.environ[HOST_VARIABLE] = ray.util.get_node_ip_address()
        self._kept: dict[int, Any] = {}

    def make(self, number: int, make: Callable[[], Any]) -> None:
        self._kept[number] = make()

    def call(self, number: int, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        kept = self._kept.pop(number) if name == "close" else self._kept[number]
        method = getattr(kept, name, None)
        answer = None if method is None else method(*arguments, **named)
        return asyncio.run(_awaited(answer)) if inspect.isawaitable(answer) else answer


async def _awaited(answer: Awaitable[_T]) -> _T:
    return await answer
