"""Cutting rows into micro-batches."""

from backsight.policies.batching import BUSY_TOKENS, micro_batches


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
