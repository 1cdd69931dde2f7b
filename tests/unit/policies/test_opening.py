"""What kind of policy lies in a folder, and what is wrong with those that cannot be opened."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny_models import ENCODER_DECODERS, ENCODERS, FAMILIES, tiny_classifier, tiny_policy, tiny_seq2seq
from transformers import BartConfig, BertConfig, Gemma3Config, LlamaConfig, T5Config, T5EncoderModel, ViTConfig

from backsight.errors import ModelError
from backsight.policies.classifier import ClassifierPolicy
from backsight.policies.opening import kind_of, open_policy
from backsight.policies.text import TextPolicy

LABELS = ("bad", "good")


@pytest.mark.parametrize(
    ("config", "saved_as", "kind"),
    [
        (LlamaConfig(), "LlamaForCausalLM", "causal_lm"),
        (LlamaConfig(), "LlamaModel", "causal_lm"),
        (LlamaConfig(), None, "causal_lm"),
        (Gemma3Config(), "Gemma3ForConditionalGeneration", "causal_lm"),
        (LlamaConfig(), "LlamaForSequenceClassification", "classifier"),
        (T5Config(), "T5ForConditionalGeneration", "seq2seq_lm"),
        (T5Config(), "T5Model", "seq2seq_lm"),
        (T5Config(), None, "seq2seq_lm"),
        (BartConfig(), "BartModel", "seq2seq_lm"),
        (BartConfig(is_encoder_decoder=False), "BartForCausalLM", "causal_lm"),
        (BartConfig(), "BartForSequenceClassification", "classifier"),
        (BertConfig(), "BertForMaskedLM", "classifier"),
        (BertConfig(), "BertModel", "classifier"),
        (BertConfig(is_decoder=True), "BertLMHeadModel", "causal_lm"),
    ],
)
def test_the_configuration_says_of_what_kind_it_is(config: object, saved_as: str | None, kind: str) -> None:
    config.architectures = None if saved_as is None else [saved_as]  # type: ignore[attr-defined]
    assert kind_of(config) == kind


@pytest.mark.parametrize("architecture", [*FAMILIES, *ENCODER_DECODERS, *ENCODERS])
def test_every_architecture_is_opened_as_what_it_was(architecture: str, tmp_path: Path) -> None:
    if architecture in ENCODERS:
        policy = tiny_classifier(LABELS, architecture)
    else:
        policy = (tiny_policy if architecture in FAMILIES else tiny_seq2seq)(architecture)  # type: ignore[operator]
    policy.save(tmp_path)
    reopened = open_policy(str(tmp_path), labels=LABELS)
    assert type(reopened) is type(policy)
    for name, weight in policy.module.state_dict().items():
        assert torch.equal(weight, reopened.module.state_dict()[name]), name


@pytest.mark.parametrize("make", [tiny_policy, tiny_seq2seq, lambda: tiny_classifier(LABELS)])
def test_a_model_lies_on_the_gpu_where_there_is_one(make: Callable[[], TextPolicy], tmp_path: Path) -> None:
    make().save(tmp_path)
    policy = open_policy(str(tmp_path), labels=LABELS)
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert {weight.device.type for weight in policy.module.parameters()} == {expected}


def test_a_language_model_may_have_labels_to_write(tmp_path: Path) -> None:
    tiny_seq2seq().save(tmp_path)
    assert not isinstance(open_policy(str(tmp_path), labels=LABELS), ClassifierPolicy)


def test_a_task_without_labels_is_none_for_a_classifier(tmp_path: Path) -> None:
    tiny_classifier(LABELS).save(tmp_path)
    with pytest.raises(ModelError, match="this task wants text; use preset sentiment, or another model"):
        open_policy(str(tmp_path))


def test_without_a_task_a_classifier_has_its_own_labels(tmp_path: Path) -> None:
    tiny_classifier(LABELS).save(tmp_path / "head")
    policy = open_policy(str(tmp_path / "head"), labels=None)
    assert isinstance(policy, ClassifierPolicy) and policy.labels == LABELS
    tiny_policy().save(tmp_path / "model")
    assert open_policy(str(tmp_path / "model"), labels=None).kind == "causal_lm"


def test_other_labels_than_the_tasks_are_named(tmp_path: Path) -> None:
    tiny_classifier(LABELS).save(tmp_path)
    with pytest.raises(ModelError, match="its labels are bad, good, the task's bad, great; rename them in one"):
        open_policy(str(tmp_path), labels=("bad", "great"))


def test_labels_that_are_only_numbered_take_the_tasks_names(tmp_path: Path) -> None:
    tiny_classifier(("LABEL_0", "LABEL_1")).save(tmp_path)
    policy = open_policy(str(tmp_path), labels=LABELS)
    assert isinstance(policy, ClassifierPolicy) and policy.labels == LABELS
    with pytest.raises(ModelError, match="it has 2 labels, the task 3: bad, fair, good; take a model without a head"):
        open_policy(str(tmp_path), labels=("bad", "fair", "good"))


def test_a_model_of_another_kind_is_named(tmp_path: Path) -> None:
    tiny_policy().save(tmp_path)
    ViTConfig().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="cannot be loaded as a causal_lm model"):
        open_policy(str(tmp_path))


def test_a_language_model_without_some_of_its_weights_is_refused(tmp_path: Path) -> None:
    """They would be drawn at random, and nobody would be told."""
    tiny_policy().model.base_model.save_pretrained(tmp_path / "body")
    with pytest.raises(ModelError, match=r"has no weights for lm_head\.weight; give a whole language model"):
        open_policy(str(tmp_path / "body"))
    encoder = tiny_seq2seq("bart").model.model
    encoder.save_pretrained(tmp_path / "encoder", state_dict=encoder.encoder.state_dict(prefix="encoder."))
    with pytest.raises(ModelError, match=r"has no weights for .*decoder\..* and \d+ more; give a whole language model"):
        open_policy(str(tmp_path / "encoder"))


def test_half_of_an_encoder_decoder_is_no_language_model(tmp_path: Path) -> None:
    T5EncoderModel(tiny_seq2seq().model.config).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="cannot be loaded as a causal_lm model"):
        open_policy(str(tmp_path))


@pytest.mark.parametrize(
    ("files", "complaint"),
    [({}, "config.json"), ({"config.json": "{}"}, "no weights")],
)
def test_a_folder_without_its_parts_is_named(tmp_path: Path, files: dict[str, str], complaint: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ModelError, match=complaint):
        open_policy(str(tmp_path))


def test_a_folder_that_does_not_exist_is_named() -> None:
    with pytest.raises(ModelError, match="no such folder"):
        open_policy("./nowhere")


def test_opening_needs_the_labels_of_the_task(tmp_path: Path) -> None:
    policy = tiny_classifier(("bad", "fair", "good"))
    policy.save(tmp_path)
    reopened = open_policy(str(tmp_path), labels=("Good", "bad", "fair"))
    assert isinstance(reopened, ClassifierPolicy) and reopened.labels == ("bad", "fair", "good")
    tokens_1T = torch.tensor([policy.prompt_tokens("a")])
    with torch.no_grad():
        assert torch.allclose(reopened.model(tokens_1T).logits, policy.model(tokens_1T).logits)
    with pytest.raises(ModelError, match="chooses a label, and this task wants text; use preset sentiment"):
        open_policy(str(tmp_path))
    with pytest.raises(ModelError, match="its labels are bad, fair, good, the task's no, yes"):
        open_policy(str(tmp_path), labels=("no", "yes"))


def test_a_bare_encoder_gets_the_same_fresh_head_every_time(tmp_path: Path) -> None:
    policy = tiny_classifier(("bad", "fair", "good"))
    policy.model.bert.save_pretrained(tmp_path)
    policy.tokenizer.save_pretrained(tmp_path)
    one, two = (open_policy(str(tmp_path), labels=("no", "yes")) for _ in range(2))
    assert isinstance(one, ClassifierPolicy) and one.labels == ("no", "yes")
    assert torch.equal(one.model.classifier.weight, two.model.classifier.weight)
    assert torch.equal(
        one.model.bert.embeddings.word_embeddings.weight, policy.model.bert.embeddings.word_embeddings.weight
    )
