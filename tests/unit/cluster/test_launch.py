"""What is checked before anything of a cluster is started."""

import socket

import pytest

from backsight.cluster import launch
from backsight.cluster.options import ClusterConfig
from backsight.errors import ConfigError


def test_without_ray_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"^cluster: ray: is not installed; pip install 'backsight\[ray\]'$"):
        launch.check(ClusterConfig())


def test_an_address_where_nothing_answers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "find_spec", lambda name: name)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # and nobody listens
        address = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ConfigError, match=rf"^cluster.address: {address}: no cluster answers there"):
            launch.check(ClusterConfig(address=address))


def test_ranks_of_torchrun_are_not_placed_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match=r"placing a run on a cluster is done by one process; leave out torchrun$"):
        launch.check(ClusterConfig())


@pytest.mark.parametrize(
    ("nodes", "asked", "line"),
    [
        ([2.0], {"num_workers": 2}, None),
        ([2.0, 0.0], {"num_workers": 3}, "cluster.num_workers: 3: there is room for 2 with 1 CPUs each"),
        # what two machines have in common is of no use to a rank, which lies on one
        ([3.0, 3.0], {"num_workers": 3, "cpus_per_worker": 2}, "cluster.num_workers: 3: there is room for 2 with 2"),
        ([2.0, 1.0], {"num_workers": 2, "reward_cpus": 1}, None),
        ([1.0, 1.0], {"num_workers": 2, "reward_cpus": 0}, None),
        (
            [1.0, 1.0],
            {"num_workers": 2, "reward_cpus": 1},
            "cluster.reward_cpus: 1.0: no machine has so many free beside",
        ),
        ([2.0, 2.0], {"num_workers": 2, "reward_cpus": 2}, None),
        (
            [3.0, 3.0],
            {"num_workers": 2, "cpus_per_worker": 2, "reward_cpus": 2},
            "cluster.reward_cpus: 2.0: no machine",
        ),
        ([2.0, 2.0], {"num_workers": 2, "environments": 1}, None),
        ([2.0, 2.0], {"num_workers": 2, "environments": 1, "reward_cpus": 1}, "cluster.reward_cpus: 1.0: no machine"),
        ([2.0, 1.0], {"num_workers": 2, "environments": 1}, "cluster.environments: 1: there is no room for as many"),
        (
            [2.0, 2.0],
            {"num_workers": 3, "reward_cpus": 2},
            "cluster.reward_cpus: 2.0: no machine has so many free beside",
        ),
    ],
)
def test_ranks_and_a_task_need_room_on_whole_machines(
    nodes: list[float], asked: dict[str, float], line: str | None
) -> None:
    options = ClusterConfig.check(asked)
    if line is None:
        launch.check_room(options, [{"CPU": each} for each in nodes])
        return
    with pytest.raises(ConfigError) as raised:
        launch.check_room(options, [{"CPU": each} for each in nodes])
    assert str(raised.value).startswith(line)


def test_gpus_are_counted_as_well() -> None:
    options = ClusterConfig(num_workers=2, gpus_per_worker=1)
    launch.check_room(options, [{"CPU": 4, "GPU": 2}])
    with pytest.raises(ConfigError, match="room for 1 with 1 CPUs and a GPU each .* 4, the GPUs 1"):
        launch.check_room(options, [{"CPU": 4, "GPU": 1}])


def test_a_server_needs_room_beside_the_ranks() -> None:
    options = ClusterConfig(num_workers=2, gpus_per_worker=1, engine_gpus=1)
    launch.check_room(options, [{"CPU": 2, "GPU": 2}, {"CPU": 1, "GPU": 1}])
    for nodes in ([{"CPU": 3, "GPU": 2}], [{"CPU": 2, "GPU": 3}]):
        with pytest.raises(ConfigError, match="^cluster.engine_gpus: 1: there is no room for a server with a CPU and"):
            launch.check_room(options, nodes)
