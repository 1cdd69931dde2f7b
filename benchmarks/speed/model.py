"""Make the model of a workload: random weights in the shape of Qwen3, with a tokenizer and known completion lengths.

    python -m benchmarks.speed.model JOB

Lengths hold by construction. One dimension of the hidden state carries a constant past all layers; the row of the end
token in the output layer reads that dimension alone, so that its logit hardly depends on the text. The weight there is
set so that the end comes with probability 1/mean at every position, or never.

Tensors: B rows, T tokens of a row, D dimensions of the hidden state.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from transformers.utils.logging import disable_progress_bar

from backsight.policies.small import make_small_model
from benchmarks.speed.children import Job, report
from benchmarks.speed.workloads import END, PADDING, Workload, write_token

END_TOKEN, PADDING_TOKEN = 0, 1
MAX_LENGTH = 4096
NEVER = -100.0
"""A weight that gives the end token a probability of zero; padding is never sampled either."""


def make_tokenizer(vocab_size: int) -> PreTrainedTokenizerFast:
    """Make a tokenizer with one token a word, words split at spaces."""
    vocabulary = {END: END_TOKEN, PADDING: PADDING_TOKEN} | {
        write_token(token): token for token in range(2, vocab_size)
    }
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=PADDING))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=PADDING, clean_up_tokenization_spaces=False
    )


@torch.no_grad()
def make_model(workload: Workload, tokenizer: PreTrainedTokenizerFast, seed: int) -> Any:
    """Make random weights whose completions are as long as the workload says."""
    torch.manual_seed(seed)
    shape = asdict(workload.shape) | {"max_position_embeddings": MAX_LENGTH, "tie_word_embeddings": False}
    model = make_small_model(tokenizer, "qwen3", seed=None, **shape)
    model.model.embed_tokens.weight[:, 0] = 1.0
    for layer in model.model.layers:
        layer.self_attn.o_proj.weight[0] = 0.0
        layer.mlp.down_proj.weight[0] = 0.0
    output = model.lm_head.weight
    output[:, 0] = 0.0
    output[[END_TOKEN, PADDING_TOKEN]] = 0.0
    output[PADDING_TOKEN, 0] = NEVER
    output[END_TOKEN, 0] = NEVER if workload.mean_length is None else find_end_weight(model, 1 / workload.mean_length)
    return model


def find_end_weight(model: Any, probability: float) -> float:
    """Find the weight with which the end token has this probability on average, by bisection on random text."""
    tokens_BT = torch.randint(2, model.config.vocab_size, (8, 64))
    hidden_BTD = model.model(tokens_BT).last_hidden_state
    constant_BT = hidden_BTD[..., 0]
    others_BT = model.lm_head(hidden_BTD)[..., PADDING_TOKEN + 1 :].logsumexp(-1)  # what all other tokens weigh
    low, high = 0.0, 10.0
    for _ in range(40):
        middle = (low + high) / 2
        if torch.sigmoid(middle * constant_BT - others_BT).mean().item() < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def save_model(job: Job) -> None:
    """Make model and tokenizer and write them to the folder of the job."""
    disable_progress_bar()
    tokenizer = make_tokenizer(job.workload.shape.vocab_size)
    make_model(job.workload, tokenizer, job.seed).save_pretrained(job.model)
    tokenizer.save_pretrained(job.model)


if __name__ == "__main__":
    save_model(Job.from_arguments())
    report({})
