import re
import sys
from pathlib import Path

import pytest

from backsight.errors import ConfigError
from backsight.evaluation.statistics import Estimate
from backsight.reports.plots import check_picture, draw_estimates

INTERVAL = Estimate(0.1 + 0.2, 0.3, 0.4, 5)
"""Its low end is above its mean, by a rounding error."""
ESTIMATES = {
    "policy": {"test": {"reward": INTERVAL, "pass@4": INTERVAL}, "general text": {"log-probability": INTERVAL}},
    "against": {"test": {"reward": INTERVAL, "right": INTERVAL}, "ood": {"reward": INTERVAL}},
}


def test_a_panel_a_name_and_a_bar_a_split_and_policy(tmp_path: Path) -> None:
    path = tmp_path / "scores.svg"
    draw_estimates(ESTIMATES, path)
    words = re.findall(r"<!-- (.*?) -->", path.read_text())
    for name in ("reward", "pass@4", "right", "policy", "against", "general text"):
        assert words.count(name) == 1
    assert words.count("test") == 3 and words.count("ood") == 1
    with pytest.raises(FileExistsError):
        draw_estimates(ESTIMATES, path)


@pytest.mark.parametrize("suffix", [".png", ".pdf"])
def test_one_policy_in_other_formats(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"scores{suffix.upper()}"
    check_picture(path)
    draw_estimates({"policy": ESTIMATES["policy"]}, path)
    assert path.read_bytes()[:4] in (b"\x89PNG", b"%PDF")
    with pytest.raises(ConfigError, match="exists"):
        check_picture(path)


def test_without_matplotlib_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError, match=r"plot: .* matplotlib is not installed: pip install 'backsight\[plot\]'"):
        check_picture(tmp_path / "scores.png")
    with pytest.raises(ConfigError, match="endings .png"):
        check_picture(tmp_path / "scores")
