"""A reward model: any `AutoModelForSequenceClassification` that scores a prompt with its completion.

Tensors: B rows of a batch, T tokens, L labels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from backsight.errors import ModelError
from backsight.feedback.asking import insisting
from backsight.policies import limits
from backsight.policies.chat import chat_text
from backsight.policies.memory import move_to_own_memory
from backsight.policies.opening import load_tokenizer
from backsight.types import Observation


class RewardModel:
    """A reward function that scores completions by a model, for `RewardFunctions` and ``reward_funcs``.

    A model with one label gives its bare score; of a classifier, the reward is the probability of `label`. A text is
    scored as prompt and completion in one, messages through the model's own chat template. A text that is too long for
    the model loses its beginning.

    Args:
        model, tokenizer: the loaded model, and the tokenizer that belongs to it.
        label: name of the label whose probability is the reward, from the model's configuration; for classifiers alone.
        batch_size: number of texts in one forward pass.
        name: name of the reward.

    Raises:
        ModelError: when a classifier gets no label, or a model one that it does not have.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        label: str | None = None,
        batch_size: int = 16,
        name: str = "reward_model",
    ) -> None:
        self.model, self.tokenizer, self.batch_size = model.eval(), tokenizer, batch_size
        move_to_own_memory(self.model)
        self.label = _index(model.config, label)
        self.__name__ = name
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        for config in (model.config, limits.text_config(model.config)):
            if getattr(config, "pad_token_id", None) is None:  # decoders find the end of a row by it
                config.pad_token_id = tokenizer.pad_token_id
        if model.config.is_encoder_decoder and getattr(model.config, "decoder_start_token_id", None) is None:
            model.config.decoder_start_token_id = tokenizer.pad_token_id  # as T5 begins, whose decoder reads the text
        tokenizer.truncation_side = "left"
        lengths = (limits.max_length(model), tokenizer.model_max_length)
        self.max_length = min((each for each in lengths if each is not None and each < 10**9), default=None)

    @classmethod
    def load(cls, path: str, *, device: str = "cpu", **options: Any) -> RewardModel:
        """Load a model from a folder in the Hugging Face layout, or from a hub id.

        Only safetensors are read, and no code of the model's own is run.

        Raises:
            ModelError: when there is no such model, or it has no tokenizer or no trained head.
        """
        return cls(_load_classifier(path).to(device), load_tokenizer(path, trust_remote_code=False), **options)

    @insisting
    def __call__(self, prompts: Sequence[Observation], completions: Sequence[Any], **columns: Any) -> list[float]:
        rows = [self._tokens(prompt, completion) for prompt, completion in zip(prompts, completions, strict=True)]
        order = sorted(range(len(rows)), key=lambda index: len(rows[index]))  # similar lengths need little padding
        scores = [0.0] * len(rows)
        for indices in self._batches(order, rows):
            for index, score in zip(indices, self._scores([rows[index] for index in indices]), strict=True):
                scores[index] = score
        return scores

    def _batches(self, order: Sequence[int], rows: Sequence[Tensor]) -> Iterator[Sequence[int]]:
        """Cut the order into batches; into those of one length where a model's scores change with the padding."""
        batch: list[int] = []
        for index in order:
            is_longer = bool(batch) and len(rows[index]) != len(rows[batch[0]])
            if len(batch) == self.batch_size or (is_longer and not self._can_pad):
                yield batch
                batch = []
            batch.append(index)
        if batch:
            yield batch

    @cached_property
    def _can_pad(self) -> bool:
        """Whether a row gets the score that it gets alone when it is padded; XLNet reads the last column."""
        rows = [torch.tensor(self.tokenizer(text)["input_ids"]) for text in ("a", "a b c d e f")]
        together, alone = self._scores(rows), [self._scores([row])[0] for row in rows]
        return all(math.isclose(one, two, rel_tol=1e-3, abs_tol=1e-3) for one, two in zip(together, alone, strict=True))

    def _tokens(self, prompt: Observation, completion: Any) -> Tensor:
        is_text = isinstance(prompt, str)
        if not is_text and self.tokenizer.chat_template is None:
            raise ModelError("reward model", self.__name__, "has no chat template; give prompts as text")
        text = prompt + completion if is_text else chat_text(self.tokenizer, [*prompt, *completion])
        # a chat template writes the special tokens itself
        is_bounded = self.max_length is not None
        tokens = self.tokenizer(text, add_special_tokens=is_text, truncation=is_bounded, max_length=self.max_length)
        return torch.tensor(tokens["input_ids"])

    @torch.inference_mode()
    def _scores(self, rows: Sequence[Tensor]) -> list[float]:
        tokens_BT = pad_sequence(list(rows), batch_first=True, padding_value=self.tokenizer.pad_token_id)
        mask_BT = pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
        device = self.model.device
        logits_BL = self.model(input_ids=tokens_BT.to(device), attention_mask=mask_BT.to(device)).logits.float()
        scores_B = logits_BL[:, 0] if self.label is None else logits_BL.softmax(-1)[:, self.label]
        return [float(score) for score in scores_B]


def _index(config: Any, label: str | None) -> int | None:
    """Return the index of the label whose probability is the reward; None when the model has only one."""
    if config.num_labels == 1 and label is None:
        return None
    if label not in config.label2id or config.num_labels == 1:
        names = ", ".join(map(str, config.label2id))
        raise ModelError(
            "label", label, f"the reward model has {config.num_labels} labels: {names}; name one of several"
        )
    return int(config.label2id[label])


def _load_classifier(path: str) -> Any:
    import transformers

    transformers.utils.logging.disable_progress_bar()
    try:
        model, loaded = transformers.AutoModelForSequenceClassification.from_pretrained(
            path, dtype=torch.float32, use_safetensors=True, trust_remote_code=False, output_loading_info=True
        )
    except (OSError, ValueError, KeyError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError("reward model", path, f"cannot be loaded as a classifier: {reason}") from error
    if loaded["missing_keys"]:
        missing = ", ".join(sorted(loaded["missing_keys"]))
        raise ModelError("reward model", path, f"has no weights for {missing}; give a model that was trained to score")
    return model
