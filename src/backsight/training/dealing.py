"""Who learns which rows of a batch, when several ranks learn it together."""

from __future__ import annotations

from collections.abc import Sequence, Set

from backsight.distributed.ranks import Ranks
from backsight.policies.base import Policy
from backsight.types import Example

PIECES = 2
"""Number of pieces a rank that a batch is cut into at least: fewer would leave ranks waiting for others, and more would
compute prompts again that siblings share."""


def deal(policy: Policy, examples: Sequence[Example], budget: int, ranks: Ranks) -> Set[int]:
    """Return the indices of the examples that this rank learns; all where it is alone.

    The batch is cut as into micro-batches of `budget` tokens, smaller ones where those are too few, and the rank with
    the fewest decisions so far gets the piece with the most. Every rank deals in the same way.
    """
    if ranks.size == 1:
        return set(range(len(examples)))
    wanted = min(PIECES * ranks.size, len(examples))
    pieces = policy.micro_batches(examples, budget)
    while len(pieces) < wanted and budget > 1:
        budget //= 2
        pieces = policy.micro_batches(examples, budget)
    sizes = {index: sum(examples[each].num_decisions for each in piece) for index, piece in enumerate(pieces)}
    loads, own = [0] * ranks.size, set[int]()
    for index in sorted(sizes, key=lambda each: (-sizes[each], each)):
        rank = loads.index(min(loads))
        loads[rank] += sizes[index]
        if rank == ranks.rank:
            own |= set(pieces[index])
    return own
