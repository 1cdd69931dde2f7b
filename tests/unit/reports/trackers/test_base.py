"""Trackers get what the run folder gets; one that fails is left out, and the run is told."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from backsight.errors import ConfigError
from backsight.reports.trackers import base
from backsight.reports.trackers.base import MOST_SAMPLES, TRACKERS, Trackers, check_installed
from backsight.types import Action, Feedback, Group, Step, Trajectory


class Listener:
    """A tracker that keeps what it is given, and fails when it is told to."""

    opened: list["Listener"] = []

    def __init__(self, folder: Path, settings: Mapping[str, Any], step: int) -> None:
        self.heard: list[Any] = [step, dict(settings)]
        self.opened.append(self)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        if "bad" in values:
            raise OSError("no\nroute")
        self.heard.append((step, dict(values)))

    def log_samples(self, step: int, rows: Sequence[Sequence[Any]]) -> None:
        self.heard.append((step, [list(row) for row in rows]))

    def close(self) -> None:
        self.heard.append("closed")


@pytest.fixture(autouse=True)
def listener(monkeypatch: pytest.MonkeyPatch) -> None:
    Listener.opened = []
    monkeypatch.setattr(TRACKERS, "own", {**TRACKERS.own, "listener": Listener})


def group(size: int) -> Group:
    attempt = Trajectory(None, (Step(("a", 1), Action((5,), torch.zeros(1), "b")),), Feedback(reward=0.5))
    return Group(None, (attempt,) * size, (torch.ones(1),) * size)


def test_everything_is_passed_on_in_order() -> None:
    trackers = Trackers(["listener"], Path(), {"seed": 1}, 4)
    trackers.log(5, {"reward": 0.5})
    trackers.log_samples(5, [group(2)])
    trackers.close()
    row = [5, "('a', 1)", "b", 0.5, 1.0]
    assert Listener.opened[0].heard == [4, {"seed": 1}, (5, {"reward": 0.5}), (5, [row, row]), "closed"]


def test_a_table_of_samples_is_short() -> None:
    trackers = Trackers(["listener"], Path(), {}, 0)
    trackers.log_samples(1, [group(5)] * 9)
    assert len(Listener.opened[0].heard[-1][1]) == MOST_SAMPLES


def test_a_tracker_that_fails_is_left_out_and_the_user_is_told_once() -> None:
    trackers = Trackers(["listener"], Path(), {}, 0)
    trackers.log(1, {"bad": 1.0})
    trackers.log(2, {"reward": 1.0})
    (complaint,) = trackers.take_complaints()
    assert complaint.startswith("report_to: listener: fails (") and "the run goes on without it" in complaint
    assert "\n" not in complaint and trackers.take_complaints() == [] and len(Listener.opened[0].heard) == 2


def test_one_that_does_not_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path, settings: Mapping[str, Any], step: int) -> Listener:
        raise RuntimeError("no key")

    monkeypatch.setattr(TRACKERS, "own", {"refusing": refuse})
    with pytest.raises(ConfigError, match="report_to: refusing: does not start .*no key"):
        Trackers(["refusing"], Path(), {}, 0)


def test_one_that_is_not_installed_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "PACKAGES", {"wandb": "nothing_of_that_name"})
    with pytest.raises(ConfigError, match=r"report_to: wandb: is not installed; pip install 'backsight\[wandb\]'"):
        check_installed(["wandb"])
    check_installed(["listener"])
