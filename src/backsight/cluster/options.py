"""Settings of the cluster that a run is placed on. Nothing here imports Ray, because the command line reads this."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import Field, field_validator

from backsight.errors import ConfigError
from backsight.settings import Settings


class Address(NamedTuple):
    """Where a cluster answers."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only programs on this machine can reach it."""
        return self.host in ("127.0.0.1", "localhost")


class ClusterConfig(Settings):
    """A cluster that `backsight train` places a run on. It changes where a run is computed, and nothing of its
    result."""

    name: Literal["ray"] = "ray"
    """Program that the cluster is made of: Ray."""
    address: str | None = None
    """Address of a cluster that runs already and that this machine belongs to, such as ``10.0.0.1:6379``; None starts
    one on this machine alone, which ends with the run."""
    num_workers: Annotated[int, Field(ge=1)] = 1
    """Number of ranks, the processes that learn together."""
    cpus_per_worker: Annotated[float, Field(gt=0)] = 1.0
    """Number of CPUs that a rank has to itself."""
    gpus_per_worker: Annotated[int, Field(ge=0, le=1)] = 0
    """Number of GPUs of a rank: 1, or 0 for ranks that compute on CPUs."""
    max_failures: Annotated[int, Field(ge=0)] = 3
    """Number of times that the run goes on from its newest checkpoint after ranks were lost; then it ends."""
    reward_cpus: Annotated[float, Field(ge=0)] | None = None
    """Number of CPUs of a task that calls a reward function, on whichever machine has them free; None calls reward
    functions within the ranks. A task knows nothing of earlier calls, so that functions which keep something between
    calls belong within the ranks."""
    reward_retries: Annotated[int, Field(ge=0)] = 2
    """Number of times that such a task is done again after it failed, or gave no answer within `reward_timeout`."""

    engine_gpus: Annotated[int, Field(ge=0)] | None = None
    """Number of GPUs of the vLLM server that `engine.start` starts on whichever machine has them free, beside a CPU;
    None starts it beside the first rank. The server listens on that machine's address in the cluster."""
    environments: Annotated[int, Field(ge=1)] | None = None
    """Number of processes that keep the environments of each rank, on whichever machines have a CPU free for each; None
    keeps environments within the ranks. That is for environments that compute: those which wait, as asynchronous ones
    do, wait together within a rank anyway."""

    @field_validator("address")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None:
            parse(value)
        return value


def parse(address: str) -> Address:
    """Return the parts of an address.

    Raises:
        ConfigError: when it is none.
    """
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 2**16:
        remedy = "write host:port, as `ray start --head` prints it"
        raise ConfigError("cluster.address", address, remedy)
    return Address(host, int(port))


def check_not_placed(cluster: ClusterConfig | None, what: str) -> None:
    """Check that no cluster is asked for by `what`, which is done by one process on this machine.

    Raises:
        ConfigError: when one is.
    """
    if cluster is not None:
        remedy = f"{what} is done on this machine; leave it out, or use `backsight train`"
        raise ConfigError("cluster", cluster.name, remedy)
