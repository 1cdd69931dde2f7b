import pytest

from backsight.distributed import environment
from backsight.distributed.environment import check_alone, check_complete, may_speak, num_ranks
from backsight.errors import ConfigError


class Shared:
    """A store that all ranks have in common."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def compare_set(self, key: str, expected: str, desired: str) -> bytes:
        if self.values.get(key, "") == expected:
            self.values[key] = desired
        return self.values[key].encode()


class Gone:
    """A store whose keeper has ended."""

    def compare_set(self, key: str, expected: str, desired: str) -> bytes:
        raise RuntimeError("Connection closed by peer")


@pytest.fixture(autouse=True)
def no_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in environment.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(environment._Known, "store", None)


def be(rank: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", str(rank))
    monkeypatch.setenv("WORLD_SIZE", str(size))


def test_a_process_is_alone_where_nobody_says_otherwise() -> None:
    assert num_ranks() == 1
    assert may_speak()
    check_alone("backsight evaluate")


@pytest.mark.parametrize("value", ["two", "-1", "1.5", ""])
def test_a_variable_that_is_no_number_is_named(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", value)
    with pytest.raises(ConfigError, match="WORLD_SIZE"):
        num_ranks()
    assert may_speak()  # or nobody would say so


def test_a_variable_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    be(0, 2, monkeypatch)
    monkeypatch.setenv("LOCAL_RANK", "0")
    with pytest.raises(
        ConfigError, match="MASTER_ADDR: not set: WORLD_SIZE=2 asks for ranks; start them with torchrun"
    ):
        check_complete()


def test_what_one_process_does_is_refused_to_several(monkeypatch: pytest.MonkeyPatch) -> None:
    be(1, 3, monkeypatch)
    with pytest.raises(ConfigError, match="torchrun: 3 ranks: rlhf_finetune is done by one process"):
        check_alone("rlhf_finetune")


def test_before_they_have_met_the_first_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    spoken = []
    for rank in range(3):
        be(rank, 3, monkeypatch)
        spoken.append(may_speak())
    assert spoken == [True, False, False]


def test_once_they_have_met_whoever_fails_first_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    environment.meet(Shared())
    spoken = {}
    for rank in (2, 0, 1):
        be(rank, 3, monkeypatch)
        spoken[rank] = may_speak()
    assert spoken == {2: True, 0: False, 1: False}


def test_nobody_speaks_after_the_keeper_of_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    be(1, 2, monkeypatch)
    environment.meet(Gone())
    assert not may_speak()
