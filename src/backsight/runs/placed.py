"""Runs that are placed on a cluster.

The program that places a run makes its folder, and the ranks do nothing but resume it, from the beginning or from its
newest whole checkpoint. So it makes no difference to them how often they are started.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from backsight.cluster import launch
from backsight.cluster.options import ClusterConfig
from backsight.config import RunConfig, dump_config
from backsight.disk import remove_folder
from backsight.distributed.environment import own_rank
from backsight.environments.hosted import hosting
from backsight.errors import BacksightError, RunFolderError
from backsight.feedback.reward_functions import placing
from backsight.reports.lock import only_writer
from backsight.reports.run_folder import CONFIG, Recorder, RunReader
from backsight.rollouts.vllm.placed import serving
from backsight.runs.finetune import Result, resume

PATIENCE = 120.0
"""Seconds until a rank that was lost has let go of the run folder. A file server gives up a machine after a minute."""


def place(config: RunConfig, cluster: ClusterConfig, folder: Path | None, tell: Callable[[Result], None]) -> bool:
    """Train on a cluster, and return whether the run was interrupted.

    Args:
        config: the settings of the run.
        cluster: where it is placed.
        folder: the folder of a run that goes on; None for a new run.
        tell: a function that shows the result, called on the first rank.

    Raises:
        BacksightError: when the cluster has no room, or the run ends with an error.
    """
    launch.check(cluster)
    made = None
    if folder is None:
        names = (config.run_name, config.default_run_name)
        folder = made = Recorder.create(Path(config.output_dir), *names, dump_config(config)).folder
    try:
        return launch.run_on_ranks(cluster, partial(_learn, config, cluster, RunReader(folder).folder, tell))
    except BacksightError:
        if made is not None and os.listdir(made) == [CONFIG]:  # nothing was begun
            remove_folder(made)
        raise


def _learn(config: RunConfig, cluster: ClusterConfig, folder: Path, tell: Callable[[Result], None]) -> bool:
    """Do the part of a rank, and return whether the run was interrupted."""
    if not (folder / CONFIG).is_file():
        remedy = f"{socket.gethostname()} cannot see it; set output_dir to a folder that all machines have in common"
        raise RunFolderError("output_dir", folder, remedy)
    if own_rank() == 0:
        _wait_for_last_writer(folder)
    place = None if cluster.reward_cpus is None else launch.tasks(cluster)
    host = None if cluster.environments is None else launch.host(cluster.environments)
    server_host = None if cluster.engine_gpus is None else launch.host(1, cluster.engine_gpus)
    with placing(place), hosting(host), serving(server_host):
        result = resume(config, folder)
    if own_rank() == 0:
        tell(result)
    return result.interrupted


def _wait_for_last_writer(folder: Path) -> None:
    """Wait until a rank that was lost no longer holds the folder: it may take a moment to notice that it is lost.

    Raises:
        RunFolderError: when somebody else goes on writing to it.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            with only_writer(folder):
                return
        except RunFolderError:
            if time.monotonic() > until:
                raise
        time.sleep(0.2)
