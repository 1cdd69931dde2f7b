"""Decoding as a CUDA graph, because a GPU takes longer to start some hundreds of small kernels than to run them.

Tensors: B rows, T columns in use, M columns there is memory for, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from backsight.rollouts.decoding.batch import DecodeCache
from backsight.rollouts.decoding.step import DecodeStep

WARM_UP = 2
"""Number of runs before a capture, in which libraries set themselves up."""


class CapturedStep:
    """A step that is recorded once for each place of the cache in memory, and then replayed for every token.

    The recording reads its inputs from tensors that stay where they are, and attends to all columns there is memory
    for; the mask says which of them hold a token. Without a GPU the step is run again instead of replayed.
    """

    def __init__(self, step: DecodeStep) -> None:
        self.step = step
        self._recorded: _Recording | None = None

    def __call__(self, tokens_B1: Tensor, mask_BT: Tensor, positions_B1: Tensor, cache: DecodeCache) -> Tensor:
        if mask_BT.shape[1] > cache.capacity:  # the step itself makes room
            return self.step(tokens_B1, mask_BT, positions_B1, cache)
        if self._recorded is None or not self._recorded.fits(cache):
            self._recorded = _Recording(self.step, tokens_B1, positions_B1, mask_BT, cache)
        return self._recorded.run(tokens_B1, mask_BT, positions_B1)


class _Recording:
    """A recorded step: the tensors that its inputs are copied to, and the function that runs it on them."""

    def __init__(
        self,
        step: DecodeStep,
        tokens_B1: Tensor,
        positions_B1: Tensor,
        mask_BT: Tensor,
        cache: DecodeCache,
    ) -> None:
        self.cache, self.places = cache, cache.places
        self.tokens_B1, self.positions_B1 = tokens_B1.clone(), positions_B1.clone()
        self.mask_BM = mask_BT.new_zeros(len(mask_BT), cache.capacity)
        self.column_1 = torch.zeros(1, dtype=torch.long, device=mask_BT.device)
        self._set(tokens_B1, mask_BT, positions_B1)

        def forward() -> Tensor:
            return step(self.tokens_B1, self.mask_BM, self.positions_B1, cache)

        cache.pin(self.column_1)
        self._replay: Callable[[], Tensor] = _capture(forward) if tokens_B1.is_cuda else forward
        cache.release(0)

    def fits(self, cache: DecodeCache) -> bool:
        """Return whether the cache still lies where it lay in memory when the step was recorded."""
        return cache is self.cache and cache.places == self.places

    def run(self, tokens_B1: Tensor, mask_BT: Tensor, positions_B1: Tensor) -> Tensor:
        """Run the step and return its logits, (B, V), which the next run overwrites."""
        self._set(tokens_B1, mask_BT, positions_B1)
        self.cache.pin(self.column_1)
        logits_BV = self._replay()
        self.cache.release(1)
        return logits_BV

    def _set(self, tokens_B1: Tensor, mask_BT: Tensor, positions_B1: Tensor) -> None:
        self.tokens_B1.copy_(tokens_B1)
        self.positions_B1.copy_(positions_B1)
        self.mask_BM[:, : mask_BT.shape[1]] = mask_BT
        self.column_1.fill_(mask_BT.shape[1] - 1)


def _capture(forward: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """Record what `forward` does on the GPU, and return a function that replays it."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            forward()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        logits_BV = forward()

    def replay() -> Tensor:
        graph.replay()
        return logits_BV

    return replay
