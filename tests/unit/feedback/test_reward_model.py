"""Reward models, tiny ones with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tiny_models import SIZES, tiny_policy, tiny_tokenizer
from transformers import AutoModelForSequenceClassification, LlamaConfig

from backsight.errors import DataError, ModelError
from backsight.feedback.reward_functions import RewardFunctions
from backsight.feedback.reward_model import RewardModel
from backsight.policies import chat
from backsight.tasks.base import Item
from backsight.types import Action, Step, Trajectory

BARE = {"vocab_size": len(tiny_tokenizer()), "num_labels": 1, "pad_token_id": 1}
CHAT = "{% for m in messages %}{{ '<pad>' + m['role'] + ':' + m['content'] }}{% endfor %}"


def classifier(num_labels: int = 1, **config: Any) -> Any:
    torch.manual_seed(0)
    settings = LlamaConfig(vocab_size=len(tiny_tokenizer()), num_labels=num_labels, pad_token_id=1, **SIZES, **config)
    return AutoModelForSequenceClassification.from_config(settings).eval()


def by_hand(model: Any, text: str) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=torch.tensor([tiny_tokenizer()(text)["input_ids"]])).logits[0]


def test_scores_do_not_depend_on_the_batch_and_keep_their_order() -> None:
    model = classifier()
    prompts, completions = ["a"] * 5, ["bbbbbbbb", "b", "", "bbb", "bb"]
    expected = [float(by_hand(model, prompt + rest)) for prompt, rest in zip(prompts, completions, strict=True)]
    for batch_size in (1, 2, 16):
        reward = RewardModel(model, tiny_tokenizer(), batch_size=batch_size)
        assert reward(prompts=prompts, completions=completions) == pytest.approx(expected, abs=1e-5)
    assert reward([], []) == []


OTHERS = {
    "bloom": transformers.BloomConfig(hidden_size=32, n_layer=1, n_head=2, **BARE),
    "mpt": transformers.MptConfig(d_model=32, n_layers=1, n_heads=2, max_seq_len=32, **BARE),
    "xlnet": transformers.XLNetConfig(d_model=32, n_layer=1, n_head=2, d_inner=32, **BARE),
    "t5": transformers.T5Config(d_model=32, d_kv=16, d_ff=48, num_layers=1, num_heads=2, eos_token_id=0, **BARE),
    "roberta": transformers.RobertaConfig(**SIZES, max_position_embeddings=34, **BARE),
}


@pytest.mark.parametrize("architecture", OTHERS)
def test_a_model_that_names_no_length_scores_each_text_as_it_does_alone(architecture: str) -> None:
    """Some have no such field, in some it says -1, and RoBERTa's first positions stand for padding."""
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(OTHERS[architecture]).float().eval()
    reward = RewardModel(model, tiny_tokenizer())
    texts = ["a", "some longer text", "b" * 70, "cc"]
    scores = reward([""] * 4, texts)
    assert scores == pytest.approx([reward([""], [text])[0] for text in texts], abs=1e-5)
    assert len(set(scores)) == 4
    if architecture not in ("mpt", "roberta"):
        assert reward.max_length is None
    else:
        assert reward.max_length == 32


def test_of_a_classifier_the_probability_of_a_label_is_the_reward() -> None:
    model = classifier(2, id2label={0: "bad", 1: "good"}, label2id={"bad": 0, "good": 1})
    (score,) = RewardModel(model, tiny_tokenizer(), label="good")(["a"], ["b"])
    assert score == pytest.approx(float(by_hand(model, "ab").softmax(-1)[1]), abs=1e-6)
    for label in (None, "great"):
        with pytest.raises(ModelError, match=f"label: {label}: .*2 labels: bad, good"):
            RewardModel(model, tiny_tokenizer(), label=label)


def test_messages_go_through_the_chat_template_without_special_tokens_on_top() -> None:
    tokenizer = tiny_tokenizer()
    prompts, completions = [[{"role": "user", "content": "a"}]], [[{"role": "assistant", "content": "b"}]]
    model = classifier()
    with pytest.raises(ModelError, match="chat template"):
        RewardModel(model, tokenizer)(prompts, completions)
    tokenizer.chat_template = CHAT
    ids = tokenizer("<pad>user:a<pad>assistant:b", add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        expected = float(model(input_ids=torch.tensor([ids])).logits)
    assert RewardModel(model, tokenizer)(prompts, completions) == pytest.approx([expected], abs=1e-5)


def test_what_is_too_long_loses_its_beginning() -> None:
    model = classifier(max_position_embeddings=4)
    end, *kept = tiny_tokenizer()("xyz")["input_ids"]
    with torch.no_grad():
        expected = float(model(input_ids=torch.tensor([[end, *kept]])).logits)
    assert RewardModel(model, tiny_tokenizer())(["abcdefg"], ["xyz"]) == pytest.approx([expected], abs=1e-5)


def test_it_is_a_reward_function_with_a_name(tmp_path: Path) -> None:
    classifier().save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    reward = RewardModel.load(str(tmp_path), name="helpful")
    step = Step("a", Action((1,), torch.zeros(1), text="b"), terminated=True)
    (feedback,) = RewardFunctions([reward])([Trajectory(Item("1", "a", columns={"label": 1}), (step,))], [0])
    assert feedback.rewards == {"helpful": pytest.approx(float(by_hand(classifier(), "ab")), abs=1e-5)}


def test_a_model_without_a_trained_head_is_refused(tmp_path: Path) -> None:
    tiny_policy().save(tmp_path)
    with pytest.raises(ModelError, match="has no weights for score.weight"):
        RewardModel.load(str(tmp_path))


def test_pickles_are_refused(tmp_path: Path) -> None:
    model = classifier()
    model.config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match="cannot be loaded as a classifier"):
        RewardModel.load(str(tmp_path))


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ raise_exception('no system role') }}", "chat template refuses it .no system role"),
        (
            "{% for i in range(99999) %}{% for j in range(99999) %}{{ i }}{% endfor %}{% endfor %}",
            "has not ended after",
        ),
    ],
)
def test_a_chat_template_that_refuses_or_never_ends_is_named(
    template: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat, "SECONDS", 0.5)
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = template
    reward = RewardModel(classifier(), tokenizer)
    with pytest.raises(DataError, match=f"messages: .*{message}"):
        reward([[{"role": "user", "content": "a"}]], [[{"role": "assistant", "content": "b"}]])
