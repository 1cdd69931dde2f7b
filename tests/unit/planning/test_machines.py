"""Machines by name."""

from __future__ import annotations

import pytest

from backsight.errors import ConfigError
from backsight.planning.machines import MACHINES, find_machine


def test_a_machine_is_found_however_it_is_written() -> None:
    assert find_machine("H100") is MACHINES["h100"]
    assert find_machine("h100").rate(bf16=True) == pytest.approx(0.4 * 989e12)


def test_an_unknown_one_names_those_that_are_known() -> None:
    for name in ("h110", "cray"):
        with pytest.raises(ConfigError, match="known: .*h100.*h200"):
            find_machine(name)


def test_every_figure_has_a_source() -> None:
    assert all(each.source and each.memory_bytes > 1e9 for each in MACHINES.values())
