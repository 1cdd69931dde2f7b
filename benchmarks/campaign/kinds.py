"""Kinds of runs that the campaign ends and resumes: every kind of policy, and every state that a run carries along."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

STEPS = 8
SETTINGS: Mapping[str, Any] = {
    "learning_rate": 1e-2,
    "prompts_per_step": 2,
    "num_generations": 2,
    "max_completion_length": 3,
    "eval_items": 3,
    "save_steps": 2,
    "eval_steps": 3,
    "trace": "all",  # those of a sampled run depend on how quick the machine is
}
CHAT = "{% for m in messages %}{{ m['content'] }}\n{% endfor %}"
LABELS = ("good", "bad")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of run: the command, the model in the kit, and the settings that make it what it is."""

    model: str
    preset: str = "sentiment"
    settings: Mapping[str, Any] | None = None
    methods: str | None = None
    """Methods of a comparison; None for a single run."""
    command: Callable[[Path, int], None] | None = None
    """A function from the run folder and the number of steps that makes or resumes the run, for what has no command."""

    def words(self, kit: Path, folder: Path, steps: int = STEPS) -> list[str]:
        """Return the words of the command line that begin the run; they continue a comparison as well."""
        fixed = {"data": kit / f"{self.preset}.jsonl", "policy": kit / self.model, "stop.max_steps": steps}
        settings = {**SETTINGS, **fixed, "output_dir": folder.parent, **(self.settings or {})}
        if self.methods is None:
            settings["run_name"] = folder.name
        words = [self.preset, *(f"{name}={value}" for name, value in settings.items())]
        if self.methods is None:
            return ["train", *words]
        return ["compare", *words, "--methods", self.methods, "--seeds", "1", "--name", folder.name]

    def resuming(self, kit: Path, folder: Path, steps: int = STEPS) -> list[str]:
        """Return the words that go on with what lies in the folder, or begin the run when nothing does yet."""
        if self.methods is not None or not (folder / "config.yaml").is_file():
            return self.words(kit, folder, steps)
        return ["train", "--resume", str(folder), f"stop.max_steps={steps}"]


def train_on_gym(folder: Path, steps: int) -> None:
    """Train a network on CartPole in a run folder, from its newest checkpoint if there is one."""
    import gymnasium
    from safetensors.torch import load_model
    from torch import nn

    from backsight.environments.gymnasium import GymnasiumEnvironment, GymnasiumEpisode
    from backsight.feedback.environment import EnvironmentFeedback
    from backsight.hindsight.options import OutcomeOptions
    from backsight.policies.distributions import CategoricalHead
    from backsight.policies.module import WEIGHTS_FILE, ModulePolicy
    from backsight.reports.lock import only_writer
    from backsight.reports.run_folder import Recorder
    from backsight.rollouts.engines import engine_for
    from backsight.training.checkpoints import find_checkpoint, keep_newest
    from backsight.training.config import StopConfig, TrainingConfig
    from backsight.training.progress import Progress
    from backsight.training.trainer import EpisodeSource, Trainer

    class Log:
        def record(
            self, progress: Progress, metrics: dict[str, float], groups: Sequence[Any], traces: Sequence[Any]
        ) -> None:
            recorder.add_metrics(progress.step, metrics)

        def tell(self, progress: Progress, message: str) -> None:
            recorder.add_message(progress.step, message)

        def flush(self) -> None:
            recorder.sync()

    if not (folder / "config.yaml").is_file():
        Recorder.create(folder.parent, folder.name, folder.name, "CartPole\n")
    checkpoint, _ = find_checkpoint(folder / "checkpoints")
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 33), nn.Tanh(), nn.Linear(33, 2))
    if checkpoint is not None:
        load_model(network, checkpoint / WEIGHTS_FILE)
    environment = GymnasiumEnvironment(gymnasium.make("CartPole-v1"))
    policy = ModulePolicy(network, CategoricalHead([2]), environment.sample_observations(8))
    source = EpisodeSource(
        engine_for(policy),
        lambda start: GymnasiumEpisode(environment, start, 30),
        range(40),
        EnvironmentFeedback(),
        side_by_side=1,
    )
    settings = {"algorithm": "reinforce", "loss_type": "clip", "num_generations": 1, "prompts_per_step": 4}
    config = TrainingConfig(stop=StopConfig(max_steps=steps), save_steps=2, learning_rate=1e-2, **settings)
    with only_writer(folder):
        if checkpoint is not None:  # as `finetune` does: a kill may have come before the last one was deleted
            keep_newest(checkpoint, config.save_total_limit)
        recorder = Recorder.reopen(folder, -1 if checkpoint is None else int(checkpoint.name[5:]), "CartPole\n")
        trainer = Trainer(
            policy,
            source,
            OutcomeOptions().build(),
            config,
            recorders=[Log()],
            checkpoint_folder=folder / "checkpoints",
        )
        if checkpoint is not None:
            trainer.resume(checkpoint)
        if trainer.train() == "interrupted":
            raise SystemExit(130)


PLAIN = {"hindsight": "gold_anchor", "algorithm": "rloo"}
"""Settings of a run that learns from its first step on: the right answer is among those it learns from."""
KINDS: Mapping[str, Kind] = {
    "decoder-only": Kind("decoder", settings=PLAIN),
    "encoder-decoder": Kind("encoder-decoder", settings=PLAIN),
    "encoder-only": Kind("encoder", settings=PLAIN),
    "module": Kind("", command=train_on_gym),
    "logs": Kind("decoder", "logs"),
    "LoRA": Kind("decoder", settings={**PLAIN, "adapter": "lora", "adapter.r": 2}),
    "two steps ahead": Kind("decoder", settings={**PLAIN, "max_staleness": "2", "loss_type": "tis"}),
    "best of other prompts": Kind("decoder", settings={**PLAIN, "keep_best": "true", "max_resample_rounds": 2}),
    "teacher": Kind("decoder", settings={"hindsight": "[gold_anchor, self_distill]", "teacher.check_steps": 2}),
    "critic": Kind("decoder", settings={"hindsight": "gold_anchor", "algorithm": "ppo", "beta": 0.1}),
    "comparison": Kind("decoder", methods="gold_anchor,supervised"),
}


def make_kit(folder: Path) -> None:
    """Write the models and the data of all kinds."""
    from backsight.policies.causal_lm import CausalLMPolicy
    from backsight.policies.classifier import ClassifierPolicy
    from backsight.policies.seq2seq_lm import Seq2SeqLMPolicy
    from backsight.policies.small import END, make_byte_tokenizer, make_small_model

    sizes = {"hidden_size": 36, "intermediate_size": 52, "num_hidden_layers": 2, "num_attention_heads": 2}
    reader = make_byte_tokenizer(LABELS)
    reader.chat_template = CHAT
    CausalLMPolicy(make_small_model(reader, **sizes), reader).save(folder / "decoder")
    labels = {"id2label": dict(enumerate(LABELS)), "label2id": {name: index for index, name in enumerate(LABELS)}}
    ClassifierPolicy(make_small_model(reader, "bert", **labels, **sizes), reader).save(folder / "encoder")
    marked = make_byte_tokenizer(LABELS, f"$A {END}")
    shape = {"d_model": 36, "d_kv": 18, "d_ff": 52, "num_layers": 2, "num_heads": 2, "decoder_start_token_id": 1}
    Seq2SeqLMPolicy(make_small_model(marked, "t5", **shape), marked).save(folder / "encoder-decoder")
    rows = [{"text": f"film {number}", "label": LABELS[number % 2]} for number in range(60)]
    _write(folder / "sentiment.jsonl", rows)
    talks = [
        [
            {"role": "user", "content": f"A latte, {number}."},
            {"role": "assistant", "content": f"{LABELS[number % 2]}", "reward": number % 2, "feedback": "hm"},
        ]
        for number in range(60)
    ]
    _write(folder / "logs.jsonl", [{"messages": talk} for talk in talks])


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
