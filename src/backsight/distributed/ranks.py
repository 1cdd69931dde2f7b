"""The ranks: the processes that learn one policy together, and what they tell each other.

A single process is the trivial case, `Ranks` itself, in which nothing is sent. Between several, all that is decided is
decided alike: each rank has the same groups, rows and counts, and does a part of the work.
"""

from __future__ import annotations

import ctypes
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.rendezvous import rendezvous

from backsight.distributed import environment
from backsight.distributed.weights import ShardedWeights, Weights, check_can_shard
from backsight.errors import BacksightError, ConfigError, DataError, RankError, border, reason

T = TypeVar("T")
R = TypeVar("R")

PATIENCE = timedelta(days=1)
"""Time that a rank waits for the others, one of which may evaluate, or ask a slow judge. Of one that has ended the
others know at once, because its connections close."""
M_MMAP_THRESHOLD, LARGE_BLOCK = -3, 2**17
"""The C library's number for the size, in bytes, from which a block has memory of its own, and that size."""
LOST = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "Timed out waiting", "failed to recv")
"""Words of torch's errors when another rank is no longer there."""


class Ranks:
    """The ranks, as one of them sees them. This class is a single process, and `SeveralRanks` one of several."""

    rank = 0
    """Number of this process among them."""
    size = 1
    """Number of processes."""

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes, prints and evaluates."""
        return self.rank == 0

    def gather(self, own: T) -> list[T]:
        """Return what each rank gives, in the order of the ranks. All ranks have to call, here and below."""
        return [own]

    def join(self, own: Sequence[T]) -> list[T]:
        """Return the parts of a list, of which each rank has one, end to end."""
        return [each for part in self.gather(list(own)) for each in part]

    def agree(self, value: T) -> T:
        """Return the value of the first rank: what clocks and foreign code say differs between processes."""
        return self.gather(value)[0]

    def first(self, make: Callable[[], T]) -> T:
        """Return what the first rank makes; the others make nothing, and get it."""
        return self.agree(make() if self.is_first else None)  # type: ignore[return-value]

    def any(self, value: bool) -> bool:
        """Return whether the value is true on any rank."""
        return any(self.gather(value))

    def part(self, count: int) -> range:
        """Return the places of this rank's part of `count` things: neighbours, and as many as others have, or one more.

        Some ranks have none where there are fewer things than ranks.
        """
        return range(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def share(self, things: Sequence[T], work: Callable[[Sequence[T]], Sequence[R]]) -> list[R]:
        """Let each rank do the work for its part of the things, and return the results for all, in their order."""
        own = [things[place] for place in self.part(len(things))]
        return self.join(work(own) if own else [])

    def wait(self) -> None:
        """Wait until all ranks have come here."""

    def weights(self, module: nn.Module, bf16: bool) -> Weights:
        """Share out the weights of a module among the ranks; from then on it cannot be copied."""
        return Weights(module)

    def close(self) -> None:
        """Take leave of the others, once all is done."""


ALONE = Ranks()
"""A single process."""


class SeveralRanks(Ranks):
    """One of several processes, which talk by gloo, and compute with weights that lie where the device is."""

    def __init__(self) -> None:
        """Meet the others. A process that is in a group already, as Ray's are, stays in it."""
        device = _own_device()
        if device == "cpu":
            _give_memory_back()
        if not torch.distributed.is_initialized():
            store, rank, size = next(iter(rendezvous("env://")))
            backend = "cpu:gloo,cuda:nccl" if device == "cuda" else "gloo"
            torch.distributed.init_process_group(backend, store=store, rank=rank, world_size=size)
            environment.meet(store)
        self.rank, self.size = torch.distributed.get_rank(), torch.distributed.get_world_size()
        self.mesh = init_device_mesh(device, (self.size,))
        self._group = torch.distributed.new_group(backend="gloo", timeout=PATIENCE)

    def gather(self, own: T) -> list[T]:
        # Pickled, but never read from a file: it comes from processes that this run itself was started as, by the
        # connections that torch has opened among them, and carries the run's own objects.
        with border(lambda why: DataError("ranks", type(own).__name__, f"cannot be sent to other ranks: {why}")):
            packed = pickle.dumps(own)
        answers: list[Any] = [None] * self.size
        torch.distributed.all_gather_object(answers, packed, group=self._group)
        return [pickle.loads(each) for each in answers]

    def wait(self) -> None:
        torch.distributed.barrier(group=self._group)

    def weights(self, module: nn.Module, bf16: bool) -> Weights:
        return ShardedWeights(module, self.mesh, bf16)

    def close(self) -> None:
        self.wait()
        torch.distributed.destroy_process_group()


class _Met:
    """The ranks that this process has met, once for all."""

    ranks: Ranks | None = None


def connect() -> Ranks:
    """Return the ranks that the environment tells of (as torchrun sets it), and meet them when called first.

    Raises:
        ConfigError: when a variable of the environment is missing or wrong, or torch is too old.
        RankError: when the others do not come.
    """
    if environment.num_ranks() == 1:
        return ALONE
    if _Met.ranks is None:
        environment.check_complete()
        check_can_shard()
        try:
            _Met.ranks = SeveralRanks()
        except (RuntimeError, ValueError) as error:
            if isinstance(error, BacksightError):
                raise
            address = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
            raise RankError("ranks", address, f"did not meet there ({reason(error)}); start them again") from error
    return _Met.ranks


@contextmanager
def naming_lost_ranks() -> Iterator[None]:
    """Turn what torch throws when another rank has ended into an error of ours.

    Raises:
        RankError: when it has.
    """
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, BacksightError) or not any(word in str(error) for word in LOST):
            raise
        remedy = "another rank has ended, and the run with it; it goes on from its newest checkpoint with --resume"
        raise RankError("ranks", environment.num_ranks(), remedy) from error


def _give_memory_back() -> None:
    """Let the C library give large blocks back to the system when they are freed, where it is that of GNU.

    By itself it learns to keep them, and weights that are whole for a moment leave holes that nothing fits into: a rank
    of two with SmolLM2-135M held 3.2 GiB in place of 2.1.
    """
    with suppress(AttributeError, OSError, TypeError):  # other systems have no such call
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)


def _own_device() -> str:
    """Return the kind of device, and make the one of this process the current one.

    Raises:
        ConfigError: when there are more ranks on this machine than GPUs.
    """
    if not torch.cuda.is_available():
        return "cpu"
    place, count = environment.local_rank(), torch.cuda.device_count()
    if place >= count:
        raise ConfigError("LOCAL_RANK", place, f"this machine has {count} GPUs; start as many ranks on it at most")
    torch.cuda.set_device(place)
    return "cuda"
