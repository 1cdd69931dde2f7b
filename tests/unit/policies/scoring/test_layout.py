"""Trees of siblings, rows of trees, the tensors they become, and how rows are cut into micro-batches."""

import torch

from backsight.policies.scoring.layout import BUSY_TOKENS, Pair, arrange, micro_batches, tensors, width

PROMPT, OTHER = tuple(range(10, 20)), (30, 31)
CHEAP_ATTENTION, DEAR_ATTENTION = 1e6, 1.0


def test_siblings_share_their_prompt_when_that_costs_less() -> None:
    pairs: list[Pair] = [(PROMPT, (1, 2, 0)), (PROMPT, (3, 0)), (OTHER, (4, 0))]
    (tree,), (other,) = arrange(pairs, CHEAP_ATTENTION, can_branch=True)
    assert tree.branches == (0, 1) and tree.width == 10 + 2 + 1
    assert other.branches == (2,)


def test_the_square_of_a_row_is_counted() -> None:
    pairs: list[Pair] = [((1, 2), tuple(range(3, 43)))] * 8
    assert all(len(row) == len(row[0].branches) == 1 for row in arrange(pairs, DEAR_ATTENTION, can_branch=True))
    assert arrange(pairs, DEAR_ATTENTION, can_branch=True) == arrange(pairs, CHEAP_ATTENTION, can_branch=False)


def test_trees_fill_the_gaps_of_rows() -> None:
    pairs: list[Pair] = [(PROMPT, (1,) * 8), (PROMPT, (2,) * 8), (OTHER, (3,) * 4), (OTHER, (4,) * 4), ((5,), (6, 6))]
    rows = arrange(pairs, CHEAP_ATTENTION, can_branch=True)
    assert [width(row) for row in rows] == [24, 10]
    assert sorted(index for row in rows for tree in row for index in tree.branches) == [0, 1, 2, 3, 4]


def test_plain_rows_need_no_mask() -> None:
    pairs: list[Pair] = [((1, 2), (3, 4, 0)), ((5,), (6, 0))]
    laid = tensors(arrange(pairs, CHEAP_ATTENTION, can_branch=True), pairs, padding=9, dtype=torch.float32)
    assert laid.mask_B1TT is None and laid.positions_BT is None
    assert laid.tokens_BT.tolist() == [[1, 2, 3, 4], [5, 6, 9, 9]]
    assert laid.sources_N.tolist() == [1, 2, 3, 4, 5]


def test_a_branch_sees_its_prompt_and_itself() -> None:
    pairs: list[Pair] = [((1, 2), (3, 4, 0)), ((1, 2), (5, 0)), ((1, 2), (0,))]
    rows = arrange(pairs, CHEAP_ATTENTION, can_branch=True)
    laid = tensors(rows, pairs, padding=9, dtype=torch.float32)
    assert laid.tokens_BT.tolist() == [[1, 2, 3, 4, 5]]
    assert laid.positions_BT is not None and laid.positions_BT.tolist() == [[0, 1, 2, 3, 2]]
    assert laid.sources_N.tolist() == [1, 2, 3, 1, 4, 1]
    assert laid.mask_B1TT is not None
    assert (laid.mask_B1TT[0, 0] == 0).int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 0, 0, 1],
    ]


def test_trees_side_by_side_do_not_see_each_other() -> None:
    pairs: list[Pair] = [((1, 2), (3, 4, 0)), ((1, 2), (5, 0)), ((6,), (7, 0)), ((8, 9), (0,))]
    _, row = arrange(pairs, CHEAP_ATTENTION, can_branch=True)
    laid = tensors([row], pairs, padding=9, dtype=torch.float32)
    assert laid.mask_B1TT is not None and laid.tokens_BT.tolist() == [[6, 7, 8, 9]]
    assert (laid.mask_B1TT[0, 0] == 0).int().tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]]


def test_an_example_may_have_nothing_to_score() -> None:
    pairs: list[Pair] = [((1, 2), ()), ((1, 2), (3, 0))]
    laid = tensors(arrange(pairs, CHEAP_ATTENTION, can_branch=True), pairs, padding=9, dtype=torch.float32)
    assert laid.sources_N.tolist() == [1, 2]


def test_the_budget_is_kept_and_nothing_is_lost() -> None:
    units = [(1, 5), (2, 1), (1, 9), (1, 2), (1, 30), (3, 4)]
    batches = micro_batches(units, budget=12)
    assert sorted(index for batch in batches for index in batch) == list(range(6))
    for batch in batches:
        rows, widest = sum(units[index][0] for index in batch), max(units[index][1] for index in batch)
        assert rows * widest <= 12 or len(batch) == 1
    assert batches[0] == [4]  # the widest comes first: what will not fit fails early


def test_narrow_rows_are_not_padded_to_wide_ones() -> None:
    wide, narrow = (BUSY_TOKENS // 100, 100), (100, 50)
    assert micro_batches([wide, narrow], budget=10**6) == [[0, 1]]  # too little to keep the machine busy
    assert micro_batches([(20, 100), narrow], budget=10**6) == [[0], [1]]
    assert micro_batches([(20, 100), (100, 90)], budget=10**6) == [[0, 1]]
