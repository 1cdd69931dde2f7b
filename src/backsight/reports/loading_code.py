"""The code that loads a policy from its folder, for the person who finds the folder: it works as it is printed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

HERE = "."
"""Address of a policy in its own card: the folder that the card lies in."""

_CLASSES = {
    "causal_lm": "AutoModelForCausalLM",
    "seq2seq_lm": "AutoModelForSeq2SeqLM",
    "classifier": "AutoModelForSequenceClassification",
}


@dataclass(frozen=True, slots=True)
class Loading:
    """What has to be known of a policy to load it."""

    kind: str
    is_adapter: bool
    has_chat_template: bool
    labels: Sequence[str] = ()
    """Answers of a classifier, in the order of its head."""

    @property
    def library(self) -> str:
        return "peft" if self.is_adapter else "transformers"


def loading_code(loading: Loading) -> str:
    """Return Python that loads the policy from the folder it lies in, and lets it answer once."""
    return "\n".join([*_imports(loading), "", *_model(loading), "", *_answer(loading)])


def address_line(address: str) -> str:
    """Return the line of the code that says where the policy lies: in a folder, or under an id of the hub."""
    return f"MODEL = {json.dumps(address)}"


def _imports(loading: Loading) -> Iterator[str]:
    if loading.is_adapter:
        yield "from peft import PeftConfig, PeftModel"
    yield f"from transformers import {_CLASSES[loading.kind]}, AutoTokenizer"


def _model(loading: Loading) -> Iterator[str]:
    loader = _CLASSES[loading.kind]
    yield f"{address_line(HERE)}  # the folder with this file, or the model's id on the hub"
    yield "tokenizer = AutoTokenizer.from_pretrained(MODEL)"
    if not loading.is_adapter:
        yield f"model = {loader}.from_pretrained(MODEL)"
        return
    head = f", num_labels={len(loading.labels)}" if loading.labels else ""
    yield "base = PeftConfig.from_pretrained(MODEL).base_model_name_or_path"
    yield f"model = PeftModel.from_pretrained({loader}.from_pretrained(base{head}), MODEL)"


def _answer(loading: Loading) -> Iterator[str]:
    if loading.has_chat_template:
        yield 'messages = [{"role": "user", "content": "Hello!"}]'
        yield "inputs = tokenizer.apply_chat_template("
        yield '    messages, add_generation_prompt=True, return_tensors="pt", return_dict=True'
        yield ")"
    else:
        yield 'inputs = tokenizer("Hello!", return_tensors="pt", return_token_type_ids=False)'
    if loading.kind == "classifier":
        yield f"labels = {json.dumps(list(loading.labels))}"
        yield "print(labels[int(model(**inputs).logits.argmax())])"
        return
    yield "tokens = model.generate(**inputs, max_new_tokens=64)[0]"
    start = 'inputs["input_ids"].shape[1]' if loading.kind == "causal_lm" else "0"
    yield f"print(tokenizer.decode(tokens[{start}:], skip_special_tokens=True))"
