from collections.abc import Sequence
from typing import Any

from backsight.distributed.attempts import gather_groups
from backsight.distributed.ranks import ALONE, Ranks
from backsight.types import Group, Trajectory


class Two(Ranks):
    """The first of two ranks; the other one has sent its groups already."""

    size = 2

    def __init__(self, other: Sequence[Any]) -> None:
        self.other = other
        self.sent: list[Any] = []

    def gather(self, own: Any) -> list[Any]:
        self.sent = own
        return [own, list(self.other)]


def group(start: Any) -> Group:
    return Group(start, (Trajectory(start, ()), Trajectory(start, ())))


def test_starts_are_not_sent_and_come_back_by_their_place() -> None:
    starts = [object(), object(), object()]
    ranks = Two([group(None), group(None)])
    groups = gather_groups(ranks, [group(starts[0])], starts)
    assert [each.start for each in groups] == starts
    assert [[one.start for one in each.trajectories] for each in groups] == [[start, start] for start in starts]
    assert [each.start for each in ranks.sent] == [None]


def test_one_process_has_all_groups_itself() -> None:
    own = [group("a"), group("b")]
    assert gather_groups(ALONE, own, ["a", "b"]) == own
