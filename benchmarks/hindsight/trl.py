"""The control of the hindsight benchmark, run with TRL's GRPOTrainer: the same model, goals and number of attempts."""

from __future__ import annotations

import tempfile
import time

from backsight import evaluate
from benchmarks.hindsight.curve import QUICK, Curve
from benchmarks.hindsight.strings import GoalString
from benchmarks.hindsight.tasks import Sizes, make_learner

LENGTH, ATTEMPTS, GROUP, PROMPTS = 4, 25_000, 8, 32


def learn_goal_string(seed: int, quick: bool) -> Curve:
    """Learn goal strings. Only the score at the end is known: a look on the way would change what TRL draws."""
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl import GRPOConfig, GRPOTrainer

    started = time.monotonic()
    task = GoalString(LENGTH)
    policy = make_learner(task.words, Sizes(), seed)
    goals = [str(item.prompt) for item in task.items("train")]
    steps = (ATTEMPTS // (QUICK if quick else 1)) // (GROUP * PROMPTS)

    def exact(prompts: list[str], completions: list[str], **_: object) -> list[float]:
        return [float(said.split() == asked.split()) for said, asked in zip(completions, prompts, strict=True)]

    with tempfile.TemporaryDirectory() as folder:
        config = GRPOConfig(
            output_dir=folder,
            max_steps=steps,
            per_device_train_batch_size=GROUP * PROMPTS,
            num_generations=GROUP,
            max_completion_length=LENGTH + 1,
            generation_kwargs={"min_new_tokens": LENGTH},  # the end of text not counted
            loss_type="grpo",
            beta=0.0,
            temperature=1.0,
            learning_rate=1e-3,
            lr_scheduler_type="linear",
            weight_decay=0.0,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            seed=seed,
            report_to="none",
            save_strategy="no",
            logging_steps=steps,
            disable_tqdm=True,
            dataloader_pin_memory=False,
        )
        data = Dataset.from_dict({"prompt": goals * PROMPTS})
        trainer = GRPOTrainer(
            model=policy.model,
            processing_class=policy.tokenizer,
            reward_funcs=exact,
            args=config,
            train_dataset=data,
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    policy.model.eval()
    longest = LENGTH + 1
    scores = evaluate(policy, task, splits=["test"], max_completion_length=longest, min_completion_length=longest)
    return Curve([steps * GROUP * PROMPTS], [scores["test"].reward.mean], time.monotonic() - started)
