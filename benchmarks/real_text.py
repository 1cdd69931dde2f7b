"""Real text, end to end: ``python benchmarks/real_text.py`` (at most 25 minutes on 2 cores; ``--quick``: 3 minutes).

For sentiment (film reviews, out of domain: product reviews) and translation (English to German, everyday sentences,
out of domain: news) a small base model is made from nothing, warmed up on gold answers, and then trained on, by
reinforcement learning (`outcome`) and, as the control, by as many further steps on the gold answers of the same
prompts (`supervised`). Everything after the base model goes through `backsight.finetune`. The results are written to
``benchmarks/results/real_text.json``.

Tensors: B rows, T tokens of a row.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from results_file import Figure, write_results
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.utils.logging import disable_progress_bar

import backsight
from backsight.errors import BacksightError
from backsight.evaluation.evaluator import Scores
from backsight.evaluation.statistics import Estimate, estimate
from backsight.session import Result
from backsight.tasks.base import Item
from backsight.tasks.rows import FileTask
from backsight.tasks.sentiment import SentimentTask
from backsight.tasks.translation import TranslationTask

SEED = 0
REPOSITORY = Path(__file__).resolve().parents[1]
VOCABULARY_SIZE = 2048
ROW_TOKENS = 64
BATCH_ROWS = 32
END_OF_TEXT = "<|endoftext|>"
PADDING = "<|pad|>"


@dataclass(frozen=True, slots=True)
class Budget:
    """How much of everything a run gets."""

    base_steps: int
    warm_up_steps: int
    further_steps: int
    eval_items: int


@dataclass(frozen=True, slots=True)
class Domain:
    """A preset with its data and settings."""

    preset: str
    task: Callable[..., FileTask]
    data: str
    eval_data: str
    ood_data: str
    texts: Callable[[Item], Sequence[str]]
    """What the base model reads: the plain texts of an item, not what is asked of them."""
    unit: str
    max_completion_length: int
    budget: Budget
    quick_budget: Budget

    def settings(self, data_folder: Path) -> dict[str, Any]:
        """What every run of `backsight.finetune` in this domain shares."""
        return {
            "data": str(data_folder / self.data),
            "eval_data": str(data_folder / self.eval_data),
            "ood_data": str(data_folder / self.ood_data),
            "max_completion_length": self.max_completion_length,
            "seed": SEED,
        }


DOMAINS = (
    Domain(
        preset="sentiment",
        task=SentimentTask,
        data="sentiment/sentence_polarity/train.jsonl.gz",
        eval_data="sentiment/sentence_polarity/test.jsonl.gz",
        ood_data="sentiment/product_reviews/ood.jsonl.gz",
        texts=lambda item: [item.columns["text"]],
        unit="accuracy",
        max_completion_length=4,
        budget=Budget(base_steps=600, warm_up_steps=600, further_steps=150, eval_items=1000),
        quick_budget=Budget(base_steps=20, warm_up_steps=20, further_steps=5, eval_items=100),
    ),
    Domain(
        preset="translation",
        task=TranslationTask,
        data="translation/tatoeba_en_de/train.jsonl.gz",
        eval_data="translation/tatoeba_en_de/test.jsonl.gz",
        ood_data="translation/ntrex_de/ood.jsonl.gz",
        texts=lambda item: [item.columns["source"], *item.columns["references"]],
        unit="chrF, 0 to 1",
        max_completion_length=32,
        budget=Budget(base_steps=700, warm_up_steps=1500, further_steps=80, eval_items=500),
        quick_budget=Budget(base_steps=20, warm_up_steps=20, further_steps=3, eval_items=50),
    ),
)


def build_base(task: FileTask, texts: Sequence[str], folder: Path, steps: int) -> None:
    """(a) A tokenizer and a small Llama from scratch, trained on the texts as plain language modelling."""
    torch.manual_seed(SEED)
    tokenizer = train_tokenizer([f"{item.prompt}{item.target}" for item in task.items("train")])
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY_SIZE,
            hidden_size=128,
            intermediate_size=352,
            num_hidden_layers=4,
            num_attention_heads=4,
            max_position_embeddings=512,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.eos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, betas=(0.9, 0.98), weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=2e-3, total_steps=steps, pct_start=0.1, cycle_momentum=False
    )
    rows_NT = packed(tokenizer, texts)
    for _ in range(steps):
        tokens_BT = rows_NT[torch.randint(len(rows_NT), (BATCH_ROWS,))]
        loss = model(input_ids=tokens_BT, labels=tokens_BT).loss
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    print(f"  base model: {model.num_parameters():,} parameters, loss {loss.item():.2f} nats a token", flush=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def train_tokenizer(texts: Sequence[str]) -> PreTrainedTokenizerFast:
    """Byte-level BPE, so that any text has tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=[END_OF_TEXT, PADDING],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END_OF_TEXT, pad_token=PADDING)


def packed(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> torch.Tensor:
    """(N, T) All texts end to end, an end-of-text after each, cut into rows."""
    stream = [token for tokens in tokenizer(list(texts))["input_ids"] for token in (*tokens, tokenizer.eos_token_id)]
    num_rows = len(stream) // ROW_TOKENS
    return torch.tensor(stream[: num_rows * ROW_TOKENS]).view(num_rows, ROW_TOKENS)


def warm_up(domain: Domain, base: Path, settings: dict[str, Any], budget: Budget) -> Result:
    """(b) Supervised fine-tuning on the gold answers."""
    return backsight.finetune(
        str(base),
        domain.preset,
        hindsight="supervised",
        run_name=f"{domain.preset}-warm-up",
        learning_rate=1e-3,
        lr_scheduler_type="cosine",
        stop={"max_steps": budget.warm_up_steps},
        show_progress=False,
        **settings,
    )


def train_on(domain: Domain, start: Path, hindsight: str, settings: dict[str, Any], budget: Budget) -> Result:
    """(c) From the warmed-up policy onwards: `outcome`, or the control `supervised`, on the same prompts."""
    return backsight.finetune(
        str(start),
        domain.preset,
        hindsight=hindsight,
        run_name=f"{domain.preset}-{hindsight}",
        learning_rate=3e-4,
        stop={"max_steps": budget.further_steps},
        show_progress=False,
        **{**settings, "seed": SEED + 1},
    )


def figures_of(domain: Domain, warm: Result, runs: dict[str, Result]) -> list[Figure]:
    """(d) What was reached on each split before and after, and the gain item by item."""
    figures = []
    for split in ("test", "ood"):
        reached = {"base": warm.before[split], "warm-up": warm.after[split]}
        reached |= {name: run.after[split] for name, run in runs.items()}
        for name, scores in reached.items():
            figures.append(_figure(f"{domain.preset}, {split}: {name}", scores.reward, domain.unit))
        for name, run in runs.items():
            gain = _difference(run.after[split], warm.after[split])
            row = f"{domain.preset}, {split}: {name} minus warm-up"
            figures.append(_figure(row, gain, domain.unit, "> 0", gain.low > 0))
    return figures


def _difference(after: Scores, before: Scores) -> Estimate:
    """Of the same items, paired."""
    pairs = zip(after.trajectories, before.trajectories, strict=True)
    return estimate([sum(new.rewards) - sum(old.rewards) for new, old in pairs])


def _figure(row: str, score: Estimate, unit: str, aim: str | None = None, holds: bool | None = None) -> Figure:
    print(f"  {row}: {score.mean:.3f} [{score.low:.3f}, {score.high:.3f}] {unit}", flush=True)
    return Figure(row, score.mean, (score.low, score.high), unit, aim, holds)


def run_domain(domain: Domain, data_folder: Path, folder: Path, budget: Budget) -> list[Figure]:
    """The whole way of one domain, from data to figures."""
    print(f"{domain.preset}", flush=True)
    settings = {
        **domain.settings(data_folder),
        "output_dir": str(folder / "runs"),
        "eval_items": budget.eval_items,
    }
    task = domain.task(settings["data"], test=settings["eval_data"], ood=settings["ood_data"])
    base = folder / f"{domain.preset}-base"
    build_base(task, [text for item in task.items("train") for text in domain.texts(item)], base, budget.base_steps)
    warm = warm_up(domain, base, settings, budget)
    runs = {
        hindsight: train_on(domain, warm.folder, hindsight, settings, budget) for hindsight in ("outcome", "supervised")
    }
    return figures_of(domain, warm, runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a rehearsal with tiny budgets; nothing is written")
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    arguments = parser.parse_args()
    disable_progress_bar()  # of transformers, for every folder that is read or written
    started = time.monotonic()
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for domain in DOMAINS:
            budget = domain.quick_budget if arguments.quick else domain.budget
            try:
                figures += run_domain(domain, arguments.data, Path(folder), budget)
            except BacksightError as error:
                sys.exit(str(error))
    minutes = (time.monotonic() - started) / 60
    aim = 3 if arguments.quick else 25
    print(f"{minutes:.1f} minutes (at most {aim})")
    figures.append(Figure("the whole run", minutes, None, "minutes", f"<= {aim}", minutes <= aim))
    if not arguments.quick:
        print(write_results("real_text", [SEED], figures))


if __name__ == "__main__":
    main()
