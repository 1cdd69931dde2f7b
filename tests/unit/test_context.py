from contextvars import ContextVar

import pytest

from backsight.context import holding


def test_a_value_holds_inside_the_block_alone_also_where_it_ends_with_an_error() -> None:
    known = ContextVar("known", default=1)
    with pytest.raises(ValueError, match="^it$"), holding(known, 2):
        assert known.get() == 2
        with holding(known, 3):
            assert known.get() == 3
        assert known.get() == 2
        raise ValueError("it")
    assert known.get() == 1
