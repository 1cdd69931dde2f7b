"""What is asked of a cluster."""

from pathlib import Path

import pytest

from backsight.cluster.options import Address, ClusterConfig, check_not_placed, parse
from backsight.config import dump_config, resume_config
from backsight.errors import ConfigError
from backsight.presets.base import find_preset


@pytest.mark.parametrize("address", ["nowhere", "host:", ":6379", "host:0", "host:70000", "ray://host:1", "host:one"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match=r"^cluster.address: .*: write host:port"):
        ClusterConfig(address=address)


def test_an_address_has_a_host_and_a_port() -> None:
    assert parse("10.0.0.1:6379") == Address("10.0.0.1", 6379) and not parse("10.0.0.1:6379").is_loopback
    assert parse("127.0.0.1:1").is_loopback


def test_a_run_is_placed_by_a_word() -> None:
    preset = find_preset("sentiment", {"data": "rows.jsonl"})
    config = preset.configure({"data": "rows.jsonl", "cluster": "ray"}, {"cluster": {"num_workers": 2}})
    assert config.cluster == ClusterConfig(num_workers=2)
    with pytest.raises(ConfigError, match=r"^cluster.workers: 2: unknown; did you mean 'cluster.num_workers'"):
        preset.configure({"cluster": {"workers": 2}})


def test_what_is_done_here_is_not_placed() -> None:
    check_not_placed(None, "a comparison")
    with pytest.raises(ConfigError, match=r"^cluster: ray: a comparison is done on this machine"):
        check_not_placed(ClusterConfig(), "a comparison")


def test_a_run_may_go_on_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(dump_config(find_preset("instructions").configure({"cluster": {"num_workers": 3}})))
    assert resume_config(path, []).cluster == ClusterConfig(num_workers=3)
    assert resume_config(path, ["cluster.num_workers=2"]).cluster == ClusterConfig(num_workers=2)
    assert resume_config(path, ["cluster=none"]).cluster is None
