"""A stopwatch with phases."""

from pathlib import Path

import pytest
import torch

from backsight import profiling
from backsight.profiling import Profile, matrix_product_rate, peak_memory, resident_bytes


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Times that are told one after the other."""
    times: list[float] = []
    monkeypatch.setattr(profiling.time, "perf_counter", lambda: times.pop(0))
    return times


def test_phases_add_up_and_are_taken_once(clock: list[float]) -> None:
    clock += [0.0, 1.0, 5.0, 7.5]
    profile = Profile()
    with profile.phase("decode", tokens=3):
        pass
    with pytest.raises(KeyError), profile.phase("decode", tokens=4):
        raise KeyError("even so")
    taken = profile.take()
    assert (dict(taken.seconds), dict(taken.tokens)) == ({"decode": 3.5}, {"decode": 7})
    assert not profile.take().seconds


def test_each_second_is_of_one_phase(clock: list[float]) -> None:
    clock += [0.0, 1.0, 3.0, 7.0]
    outer, inner = Profile(), Profile()
    with outer.phase("look_back"), inner.phase("forward"):
        pass
    assert dict(outer.seconds) == {"look_back": 1.0 + 4.0} and dict(inner.seconds) == {"forward": 2.0}


def test_a_phase_that_goes_on_is_cut_where_the_profile_is_taken(clock: list[float]) -> None:
    clock += [0.0, 5.0, 7.0]
    profile = Profile()
    with profile.phase("decode"):
        assert dict(profile.take().seconds) == {"decode": 5.0}
    assert dict(profile.take().seconds) == {"decode": 2.0}


def test_profiles_are_added(clock: list[float]) -> None:
    clock += [0.0, 1.0, 1.0, 3.0]
    one, two = Profile(), Profile()
    with one.phase("decode", tokens=1):
        pass
    with two.phase("decode", tokens=2):
        pass
    one.add(two)
    assert (dict(one.seconds), dict(one.tokens)) == ({"decode": 3.0}, {"decode": 3})


def test_what_the_machine_can_do_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(profiling.MATRIX_SIZE, "cpu", 16)
    matrix_product_rate.cache_clear()
    assert matrix_product_rate(torch.device("cpu"), torch.float32, 1) > 0
    matrix_product_rate.cache_clear()
    assert 0.01 < peak_memory() < 1024


def test_the_peak_is_that_of_this_process_and_not_of_the_one_that_started_it(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text("VmHWM:\t     300 kB\nVmRSS:\t     200 kB\n")
    assert (resident_bytes("VmHWM", status), resident_bytes("VmRSS", status)) == (300 * 1024, 200 * 1024)
    status.write_text("State:\tZ (zombie)\n")
    assert resident_bytes("VmHWM", status) == 0
    assert resident_bytes("VmHWM", tmp_path / "nowhere") > 2**20
