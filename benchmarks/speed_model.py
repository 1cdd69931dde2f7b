"""Build the model of a workload: random weights in the shape of Qwen3, with a tokenizer and known completion lengths.

    python benchmarks/speed_model.py JOB

Lengths hold by construction. One dimension of the hidden state carries a constant past all layers; the row of the end
token in the output layer reads that dimension alone, so that its logit hardly depends on the text. The weight there is
set so that the end comes with probability 1/mean at every position, or never.

Tensors: B rows, T tokens of a row, V vocabulary.
"""

from __future__ import annotations

import torch
from speed_children import Job, report
from speed_workloads import END, PADDING, Workload, word
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM
from transformers.utils.logging import disable_progress_bar

END_TOKEN, PADDING_TOKEN = 0, 1
MAX_LENGTH = 4096
NEVER = -100.0
"""A weight that gives the end token a probability of zero; padding is never sampled either."""


def build_tokenizer(vocab_size: int) -> PreTrainedTokenizerFast:
    """One token a word, words split at spaces."""
    vocabulary = {END: END_TOKEN, PADDING: PADDING_TOKEN} | {word(token): token for token in range(2, vocab_size)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=PADDING))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=PADDING, clean_up_tokenization_spaces=False
    )


@torch.no_grad()
def build_model(workload: Workload, seed: int) -> Qwen3ForCausalLM:
    """Random weights whose completions are as long as the workload says."""
    torch.manual_seed(seed)
    shape = workload.shape
    model = Qwen3ForCausalLM(
        Qwen3Config(
            **{name: getattr(shape, name) for name in shape.__dataclass_fields__},
            max_position_embeddings=MAX_LENGTH,
            tie_word_embeddings=False,
            bos_token_id=None,
            eos_token_id=END_TOKEN,
            pad_token_id=PADDING_TOKEN,
        )
    ).eval()
    model.model.embed_tokens.weight[:, 0] = 1.0
    for layer in model.model.layers:
        layer.self_attn.o_proj.weight[0] = 0.0
        layer.mlp.down_proj.weight[0] = 0.0
    output = model.lm_head.weight
    output[:, 0] = 0.0
    output[[END_TOKEN, PADDING_TOKEN]] = 0.0
    output[PADDING_TOKEN, 0] = NEVER
    output[END_TOKEN, 0] = NEVER if workload.mean_length is None else end_weight(model, 1 / workload.mean_length)
    return model


def end_weight(model: Qwen3ForCausalLM, probability: float) -> float:
    """The weight with which the end token has this probability on average, found by bisection on random text."""
    tokens_BT = torch.randint(2, model.config.vocab_size, (8, 64))
    hidden_BTD = model.model(tokens_BT).last_hidden_state
    constant_BT = hidden_BTD[..., 0]
    others_BT = model.lm_head(hidden_BTD)[..., PADDING_TOKEN + 1 :].logsumexp(-1)
    low, high = 0.0, 10.0
    for _ in range(40):
        middle = (low + high) / 2
        if mean_probability(middle, constant_BT, others_BT) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def mean_probability(weight: float, constant_BT: Tensor, others_BT: Tensor) -> float:
    """Of the end token, against the log of what all other tokens weigh together."""
    return torch.sigmoid(weight * constant_BT - others_BT).mean().item()


def build(job: Job) -> int:
    """Write model and tokenizer to the folder of the job; returns how many parameters it has."""
    disable_progress_bar()
    model = build_model(job.workload, job.seed)
    model.save_pretrained(job.model)
    build_tokenizer(job.workload.shape.vocab_size).save_pretrained(job.model)
    return int(model.num_parameters())


if __name__ == "__main__":
    report({"parameters": build(Job.from_arguments())})
