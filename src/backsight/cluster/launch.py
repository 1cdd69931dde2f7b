"""The way to a cluster: what is asked for is checked first, and Ray is imported only then.

Ray reads its variables of the environment when it is imported. A cluster that a run starts listens on this machine
alone, sends nothing to Ray's makers, and has no dashboard.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from importlib.util import find_spec
from typing import TypeVar

from backsight.cluster.options import Address, ClusterConfig, parse
from backsight.distributed.environment import check_alone
from backsight.errors import ConfigError, reason
from backsight.interfaces import Host, Place

_T = TypeVar("_T")

INSTALL = "pip install 'backsight[ray]'"
SECONDS_TO_ANSWER = 3.0
"""Seconds within which a cluster has to take a connection."""
ENVIRONMENT: Mapping[str, str] = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",  # what is printed in a rank goes where backsight sends it
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",  # Ray's own 2 s are as long as steps of small models
}
ON_LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Variable that, set to 0, has Ray take 127.0.0.1 for the address of this machine, on every system."""


def check(options: ClusterConfig) -> None:
    """Check, before anything is started, that there is a Ray, a cluster at the address, and room on this machine.

    Raises:
        ConfigError: when there is not, or torchrun has started this process as one of several ranks.
    """
    check_alone("placing a run on a cluster")
    if find_spec("ray") is None:
        raise ConfigError("cluster", options.name, f"is not installed; {INSTALL}")
    if options.address is not None:
        _check_answers(parse(options.address), options.address)
    elif not options.gpus_per_worker:  # GPUs are counted by Ray, once it runs
        check_room(options, [{"CPU": own_cpus()}])


def own_cpus() -> int:
    """Return the number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_room(options: ClusterConfig, nodes: Sequence[Mapping[str, float]]) -> None:
    """Check that the ranks, the processes of environments, and a task of a reward function have room together.

    Args:
        options: what is asked for.
        nodes: what each machine has, by Ray's names: ``CPU`` and ``GPU``.

    Raises:
        ConfigError: when they have not.
    """
    room = [_num_ranks(options, node) for node in nodes]
    wanted, own = options.num_workers, f"{options.cpus_per_worker:g} CPUs"
    there = f"the CPUs of the machines are {_listed(nodes, 'CPU')}"
    if options.gpus_per_worker:
        own, there = f"{own} and a GPU", f"{there}, the GPUs {_listed(nodes, 'GPU')}"
    if sum(room) < wanted:
        remedy = f"there is room for {sum(room)} with {own} each ({there}); lower it, or add machines"
        raise ConfigError("cluster.num_workers", wanted, remedy)
    beside = f"beside {wanted} ranks with {own} each ({there}); lower one of the two, or add machines"
    free = sum(node.get("CPU", 0.0) for node in nodes) - wanted * options.cpus_per_worker
    if options.engine_gpus is not None:
        free -= 1
        free_gpus = sum(node.get("GPU", 0.0) for node in nodes) - wanted * options.gpus_per_worker
        if free < 0 or free_gpus < options.engine_gpus:
            remedy = f"there is no room for a server with a CPU and so many GPUs {beside}"
            raise ConfigError("cluster.engine_gpus", options.engine_gpus, remedy)
    if (count := options.environments or 0) * wanted > free:
        raise ConfigError("cluster.environments", count, f"there is no room for as many CPUs for each rank {beside}")
    most = max(_left(options, node, sum(room) - own_room) for node, own_room in zip(nodes, room, strict=True))
    if (options.reward_cpus or 0.0) > min(most, free - count * wanted):
        raise ConfigError("cluster.reward_cpus", options.reward_cpus, f"no machine has so many free {beside}")


def run_on_ranks(options: ClusterConfig, function: Callable[[], _T]) -> _T:
    """Call the function on each rank of a cluster, and return what it returns on the first one.

    What the ranks print is printed here. A signal asks them to end after the step under way, and a second one ends all
    at once. Where ranks are lost, the function is called again on all of them, on machines that are there then.

    Args:
        options: the cluster.
        function: a function that can be sent there. It finds the ranks by the environment, as those of torchrun do.

    Raises:
        BacksightError: what it raises on a rank; a `RankError` when ranks were lost too often.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if options.address is None or parse(options.address).is_loopback:
        os.environ.setdefault(ON_LOOPBACK, "0")
    from backsight.cluster import on_ray

    return on_ray.run_on_ranks(options, function)


def tasks(options: ClusterConfig) -> Place:
    """Return the place for work that is done as tasks on the cluster; for use within a rank."""
    from backsight.cluster import on_ray

    return on_ray.tasks(options)


def host(processes: int, gpus: int = 0) -> Host:
    """Return a host that keeps things on the cluster, in so many processes with a CPU and `gpus` GPUs each.

    It is for use within a rank.
    """
    from backsight.cluster import on_ray

    return on_ray.Hosts(processes, gpus)


def _check_answers(address: Address, written: str) -> None:
    try:
        with closing(socket.create_connection(address, SECONDS_TO_ANSWER)):
            pass
    except OSError as error:
        remedy = f"no cluster answers there ({reason(error)}); start one with `ray start --head`, or leave it out"
        raise ConfigError("cluster.address", written, remedy) from error


def _num_ranks(options: ClusterConfig, node: Mapping[str, float]) -> int:
    """Return the number of ranks that a machine has room for."""
    by_cpus = int(node.get("CPU", 0.0) / options.cpus_per_worker)
    return min(by_cpus, int(node.get("GPU", 0.0))) if options.gpus_per_worker else by_cpus


def _left(options: ClusterConfig, node: Mapping[str, float], others: int) -> float:
    """Return the CPUs that are left on a machine when the others have as many ranks as they have room for."""
    return node.get("CPU", 0.0) - max(0, options.num_workers - others) * options.cpus_per_worker


def _listed(nodes: Sequence[Mapping[str, float]], what: str) -> str:
    return " + ".join(f"{node.get(what, 0.0):g}" for node in nodes)
