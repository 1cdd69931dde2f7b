"""Options behind the name of a preset."""

import pytest

from backsight.errors import ConfigError
from backsight.presets.options import parse_name


def test_options_are_read_as_numbers_where_they_are_some() -> None:
    assert parse_name("kind", "a") == ("a", {})
    assert parse_name("kind", "a,b=1,c=0.5,d=true,e=word") == ("a", {"b": 1, "c": 0.5, "d": True, "e": "word"})
    with pytest.raises(ConfigError, match="kind option: b: write it as name=value"):
        parse_name("kind", "a,b")


@pytest.mark.parametrize("text", ["chain_sum,max_terms=3,max_terms=5", "chain_sum,min_terms=2,max_terms=3,min_terms=2"])
def test_an_option_that_stands_twice_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="stands there twice"):
        parse_name("kind", text)
