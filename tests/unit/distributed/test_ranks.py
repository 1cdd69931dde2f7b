import pytest

from backsight.distributed.ranks import ALONE, Ranks, connect, naming_lost_ranks
from backsight.errors import ConfigError, RankError


def ranks(rank: int, size: int) -> Ranks:
    """A rank that nobody hears."""
    own = Ranks()
    own.rank, own.size = rank, size
    return own


def test_a_single_process_is_all_ranks() -> None:
    assert ALONE.is_first
    assert ALONE.gather("own") == ["own"]
    assert ALONE.join([1, 2]) == [1, 2]
    assert ALONE.agree(3) == ALONE.first(lambda: 3) == 3
    assert ALONE.any(True) and not ALONE.any(False)
    assert ALONE.share([1, 2, 3], lambda own: [2 * each for each in own]) == [2, 4, 6]
    assert ALONE.share([], lambda own: pytest.fail("there is no work")) == []


@pytest.mark.parametrize("count", [0, 1, 2, 5, 7, 12])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_parts_are_neighbours_and_of_about_the_same_size(count: int, size: int) -> None:
    parts = [ranks(rank, size).part(count) for rank in range(size)]
    assert [place for part in parts for place in part] == list(range(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_ranks_that_are_lost_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RankError, match="ranks: 2: another rank has ended"), naming_lost_ranks():
        raise RuntimeError("[gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:4242")


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ConfigError("seed", -1, "raise it"), ValueError("x")])
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, naming_lost_ranks():
        raise error
    assert raised.value is error


def test_without_other_ranks_there_is_nobody_to_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert connect() is ALONE
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert connect() is ALONE


def test_ranks_that_do_not_say_where_to_meet_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with pytest.raises(ConfigError, match="LOCAL_RANK: not set"):
        connect()
