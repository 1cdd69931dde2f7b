"""What a rank of the tests does: the jobs of `jobs.json`, each a run with other settings, one to go on with, or one
gradient."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from backsight.config import RunConfig, resume_config
from backsight.distributed.ranks import connect
from backsight.policies.base import trained_weights
from backsight.presets.base import configure, make_task
from backsight.reports.run_folder import CHECKPOINTS, CONFIG
from backsight.runs.finetune import make_trainer, train
from backsight.runs.start import RunParts, begin
from backsight.tasks.base import Task
from backsight.training.checkpoints import newest_checkpoint

RESUME = "resume"
"""Name of the setting with the folder of a run to go on with."""
GRADIENT = "gradient"
"""Name of the setting that asks for a gradient, in place of a run."""
BREAK = "break"
"""Name of the setting that asks for a step after which one rank holds a number that is not finite."""


ASKED = "asked.txt"
"""File with a line, which names the run, for each attempt that the reward function was asked about."""


def main() -> None:
    ranks = connect()
    for name, settings in json.loads(Path("jobs.json").read_text()).items():
        if RESUME in settings:
            go_on(name, Path(settings.pop(RESUME)), [f"{key}={value}" for key, value in settings.items()])
        elif settings.pop(GRADIENT, False):
            take_gradient(name, parts_of(settings, name))
        elif settings.pop(BREAK, False):
            break_step(name, parts_of(settings, name))
        else:
            train(parts_of(settings, name), show_progress=False)
    ranks.close()
    os._exit(0)  # as the command line does; what went wrong before that ends with a trace


def go_on(name: str, folder: Path, words: list[str]) -> None:
    """Go on with a run, from its newest checkpoint."""
    config = resume_config(folder / CONFIG, words)
    checkpoint = newest_checkpoint(folder / CHECKPOINTS)
    train(judged(name, config, make_task(config), str(checkpoint)), checkpoint=checkpoint, show_progress=False)


def parts_of(settings: Mapping[str, Any], name: str) -> RunParts:
    """Return the parts of a run of its name."""
    config, make = configure("sentiment", {**settings, "run_name": name})
    return judged(name, config, make(config))


def judged(name: str, config: RunConfig, task: Task, policy: str | None = None) -> RunParts:
    """Return the parts of a run, with a reward function."""
    asked = Path(config.output_dir) / ASKED

    def judge(completions: Sequence[str], **columns: Any) -> list[dict[str, Any]]:
        """Find some answers better than others, say what would have been right, and note for which one was asked."""
        with asked.open("a") as file:
            file.writelines(f"{name}\n" for _ in completions)
        return [
            {
                "reward": zlib.crc32(each.encode()) % 8 / 8,
                "correction": " positive",
                "achieved_prompt": f"say {each[:1]}\nsentiment:",
            }
            for each in completions
        ]

    asked.parent.mkdir(exist_ok=True)
    return begin(config, task, policy, reward_funcs=judge)


def take_gradient(name: str, parts: RunParts) -> None:
    """Write the gradient of the first step, of which each rank has some rows, and the number of passes it took."""
    trainer, taken = make_trainer(parts), dict[str, torch.Tensor]()
    names = list(trained_weights(parts.policy.module))

    def take(*_: Any) -> None:
        optimized = [each for group in trainer.optimizer.param_groups for each in group["params"]]
        for weight, each in zip(names, optimized, strict=True):
            taken[weight] = each.grad.clone()

    trainer.optimizer.register_step_pre_hook(take)
    examples, groups, _ = trainer.look_back(trainer.reveal(trainer.collect()))
    metrics = trainer.update(examples, groups)
    taken["grad_norm"] = torch.tensor([metrics["grad_norm"]])
    folder = Path("gradients") / name
    folder.mkdir(parents=True, exist_ok=True)
    save_file(taken, folder / f"{parts.ranks.rank}-of-{parts.ranks.size}.safetensors")


def break_step(name: str, parts: RunParts) -> None:
    """Write down whether a step was undone that the last rank breaks, and whether one after it is taken."""
    trainer, ranks = make_trainer(parts), parts.ranks
    is_broken = True

    def spoil(*_: Any) -> None:
        if is_broken and ranks.rank == ranks.size - 1:
            trainer.optimizer.param_groups[0]["params"][0].data[0] = torch.inf

    def step() -> bool:
        before = [each.detach().clone() for each in trained_weights(parts.policy.module).values()]
        examples, groups, _ = trainer.look_back(trainer.reveal(trainer.collect()))
        trainer.update(examples, groups)
        return all(map(torch.equal, before, trained_weights(parts.policy.module).values()))

    trainer.optimizer.register_step_post_hook(spoil)
    undone, broken = step(), trainer.progress.broken_steps
    is_broken = False
    seen = {"undone": undone, "broken": broken, "taken": not step(), "broken after": trainer.progress.broken_steps}
    Path(f"{name}-{ranks.rank}.json").write_text(json.dumps(seen))


if __name__ == "__main__":
    main()
