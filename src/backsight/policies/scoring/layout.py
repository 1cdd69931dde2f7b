"""The layout of prompts and responses in rows, so that as little as possible is computed twice or for padding.

A *tree* is a prompt with some of its responses behind it: each sees the prompt and itself, so the prompt is computed
once for all of them. A *row* holds one tree, or several side by side that do not see each other. A plain row, with one
prompt and one response, is the tree with one branch.

Tensors: B rows, T tokens of the widest row, N decisions in the order of the pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Tokens = tuple[int, ...]
Pair = tuple[Tokens, Tokens]
"""A prompt and a response."""

WIDEST_TREE = 8192
"""Most tokens of a tree, which needs a mask of its width squared: 256 MiB of float32."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A prompt, and the responses that branch off it, by the indices of their pairs."""

    prompt: Tokens
    branches: tuple[int, ...]
    width: int
    """Number of tokens that are computed: the last one of a response predicts nothing and is left out."""


Row = list[Tree]


@dataclass(frozen=True, slots=True)
class Tensors:
    """Rows as tensors, ready for the model."""

    tokens_BT: Tensor
    positions_BT: Tensor | None
    """Position of each token; None where positions simply count up."""
    mask_B1TT: Tensor | None
    """Numbers to add to attention scores, 0 or the lowest number; None where causal attention is enough."""
    sources_N: Tensor
    """Flat index into (B, T) of the token that predicts each decision."""

    def to(self, device: torch.device) -> Tensors:
        positions_BT, mask_B1TT = (
            None if each is None else each.to(device) for each in (self.positions_BT, self.mask_B1TT)
        )
        return Tensors(self.tokens_BT.to(device), positions_BT, mask_B1TT, self.sources_N.to(device))


def arrange(pairs: Sequence[Pair], attention_width: float, *, can_branch: bool) -> list[Row]:
    """Arrange the pairs in the cheapest rows, widest first.

    The cost of a row of T tokens is T for what is linear in it and T²/`attention_width` for attention, of which plain
    rows need only half. Siblings share a row in the number that costs least; then trees fill the gaps of rows that have
    to be padded anyway.
    """
    trees = [
        tree
        for prompt, branches in _by_prompt(pairs)
        for tree in _cheapest(prompt, branches, pairs, attention_width if can_branch else 0.0)
    ]
    trees.sort(key=lambda tree: -tree.width)
    if all(len(tree.branches) == 1 for tree in trees):
        return [[tree] for tree in trees]
    return _pack(trees)


def are_plain(rows: Sequence[Row]) -> bool:
    """Return whether each row holds one prompt and one response, so that causal attention is enough."""
    return all(len(row) == 1 and len(row[0].branches) == 1 for row in rows)


def width(row: Row) -> int:
    return sum(tree.width for tree in row)


def _by_prompt(pairs: Sequence[Pair]) -> Iterable[tuple[Tokens, list[int]]]:
    branches: dict[Tokens, list[int]] = {}
    for index, (prompt, _) in enumerate(pairs):
        branches.setdefault(prompt, []).append(index)
    return branches.items()


def _cheapest(prompt: Tokens, branches: list[int], pairs: Sequence[Pair], attention_width: float) -> list[Tree]:
    def trees(siblings: int) -> list[Tree]:
        parts = [branches[first : first + siblings] for first in range(0, len(branches), siblings)]
        return [
            Tree(prompt, tuple(part), len(prompt) + sum(len(pairs[index][1][:-1]) for index in part)) for part in parts
        ]

    plain = trees(1)
    if len(branches) == 1 or attention_width == 0:
        return plain
    best, lowest = plain, sum(tree.width + tree.width**2 / (2 * attention_width) for tree in plain)
    siblings = len(branches)
    while siblings > 1:
        shared = trees(siblings)
        cost = sum(tree.width + tree.width**2 / attention_width for tree in shared)
        if cost < lowest and max(tree.width for tree in shared) <= WIDEST_TREE:
            best, lowest = shared, cost
        siblings = (siblings + 1) // 2
    return best


def _pack(trees: Sequence[Tree]) -> list[Row]:
    """Pack trees into rows as wide as the widest tree: first fit, from the widest down."""
    rows: list[Row] = []
    free: list[int] = []
    for tree in trees:
        place = next((number for number, room in enumerate(free) if room >= tree.width), len(rows))
        if place == len(rows):
            rows.append([])
            free.append(trees[0].width)
        rows[place].append(tree)
        free[place] -= tree.width
    return rows


def tensors(rows: Sequence[Row], pairs: Sequence[Pair], padding: int, dtype: torch.dtype) -> Tensors:
    """Turn rows into tensors, padded on the right, where causal attention never looks."""
    longest = max(map(width, rows))
    laid = [list(_segments(row, pairs)) for row in rows]
    tokens_BT = torch.tensor([_fill([part.tokens for part in parts], longest, padding) for parts in laid])
    sources_N = torch.tensor(_sources(laid, pairs, longest))
    if are_plain(rows):
        return Tensors(tokens_BT, None, None, sources_N)
    positions_BT, trees_BT, branches_BT = (
        torch.tensor([_fill([column(part) for part in parts], longest, -1) for parts in laid])
        for column in (
            lambda part: range(part.position, part.position + len(part.tokens)),
            lambda part: [part.tree] * len(part.tokens),
            lambda part: [part.branch] * len(part.tokens),
        )
    )
    is_seen_BTT = trees_BT[:, :, None] == trees_BT[:, None, :]
    # a prompt is branch 0 and is seen by all of its tree
    is_seen_BTT &= (branches_BT[:, None, :] == 0) | (branches_BT[:, :, None] == branches_BT[:, None, :])
    is_seen_BTT = is_seen_BTT.tril_()
    mask_B1TT = torch.zeros(is_seen_BTT.shape, dtype=dtype).masked_fill_(~is_seen_BTT, torch.finfo(dtype).min)
    return Tensors(tokens_BT, positions_BT.clamp_(min=0), mask_B1TT[:, None], sources_N)


def pad_rows(rows: Sequence[Tokens], padding: int) -> tuple[Tensor, Tensor]:
    """Return the tokens padded on the right, (B, T), and a mask that is 1 where a token stands, (B, T)."""
    longest = max(map(len, rows))
    tokens_BT = torch.tensor([_fill([row], longest, padding) for row in rows])
    return tokens_BT, torch.tensor([_fill([[1] * len(row)], longest, 0) for row in rows])


@dataclass(frozen=True, slots=True)
class _Segment:
    """Consecutive tokens of a row: a prompt (branch 0) or a response."""

    tokens: Tokens
    tree: int
    branch: int
    position: int
    pair: int | None


def _segments(row: Row, pairs: Sequence[Pair]) -> Iterator[_Segment]:
    for number, tree in enumerate(row):
        yield _Segment(tree.prompt, number, 0, 0, None)
        for branch, index in enumerate(tree.branches, start=1):
            yield _Segment(pairs[index][1][:-1], number, branch, len(tree.prompt), index)


def _fill(parts: Sequence[Iterable[int]], length: int, filler: int) -> list[int]:
    line = [value for part in parts for value in part]
    return line + [filler] * (length - len(line))


def _sources(laid: Sequence[Sequence[_Segment]], pairs: Sequence[Pair], longest: int) -> list[int]:
    """Return the flat index of the token that predicts each decision.

    The first token of a response is predicted by the last one of its prompt, every other by the one before it.
    """
    sources: list[list[int]] = [[] for _ in pairs]
    for number, parts in enumerate(laid):
        column, prompt_end = number * longest, 0
        for part in parts:
            if part.pair is None:
                prompt_end = column + len(part.tokens) - 1
            else:
                sources[part.pair] = [prompt_end, *range(column, column + len(part.tokens))][: len(pairs[part.pair][1])]
            column += len(part.tokens)
    return [source for own in sources for source in own]


NARROW = 0.8
"""Share of a micro-batch's widest row below which a row costs more in padding than another forward pass costs."""
BUSY_TOKENS = 1024
"""Tokens that keep the machine busy: a smaller micro-batch takes narrow rows in spite of their padding."""

Extent = Callable[[list[int]], tuple[int, int]]
"""A function from the indices of some examples to the number of rows, and the tokens of the widest, that they take."""


def micro_batches(units: Sequence[tuple[int, int]], budget: int) -> list[list[int]]:
    """Cut the indices of the units into micro-batches, in which rows times the widest row stays within the budget.

    A unit is a number of rows and the width of the widest. The widest come first, so that the most memory is asked for
    at once, and what does not fit fails early. A unit above the budget gets a micro-batch of its own.
    """
    batches: list[list[int]] = []
    num_rows = widest = 0
    for index in sorted(range(len(units)), key=lambda each: (-units[each][1], each)):
        rows, width = units[index]
        is_narrow = width < NARROW * widest and num_rows * widest >= BUSY_TOKENS
        if not batches or is_narrow or (num_rows + rows) * widest > budget:
            batches.append([])
            num_rows, widest = 0, width
        batches[-1].append(index)
        num_rows += rows
    return batches


def sibling_batches(siblings: Iterable[list[int]], extent: Extent, budget: int) -> list[list[int]]:
    """Cut examples by index into micro-batches in which siblings stay together as far as the budget allows."""
    parts = [part for indices in siblings for part in _fit_budget(indices, extent, budget)]
    return [
        [index for unit in batch for index in parts[unit]] for batch in micro_batches(list(map(extent, parts)), budget)
    ]


def _fit_budget(indices: list[int], extent: Extent, budget: int) -> list[list[int]]:
    """Halve the siblings until each part is within the budget.

    When one sibling alone is near or above the budget, most of it is the prompt, which a cut would compute again for
    each part: then a single row may be wider than the longest sibling by half of the budget.
    """
    if len(indices) == 1:
        return [indices]
    rows, widest = extent(indices)
    alone = max(extent([index])[1] for index in indices)
    if rows * widest <= budget or (rows == 1 and widest <= alone + budget // 2):
        return [indices]
    half = len(indices) // 2
    return _fit_budget(indices[:half], extent, budget) + _fit_budget(indices[half:], extent, budget)
