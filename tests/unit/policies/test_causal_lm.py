"""The learner's view of a language model."""

from pathlib import Path

import pytest
import torch
from tiny_models import ARCHITECTURES, tiny_policy

from backsight.errors import DataError, ModelError
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.policies.opening import open_policy
from backsight.types import Example, Sampling, Wanted

EXAMPLES = [
    Example(("ab",), ((5, 6, 7, 0),), "test", torch.zeros(4)),
    Example(("a longer prompt",), ((9, 0),), "test", torch.zeros(2)),
    Example(("",), ((11,),), "test", torch.zeros(1)),
    Example(("two", "steps"), ((12, 0), (13, 14, 0)), "test", torch.zeros(5)),
]


def by_hand(policy: CausalLMPolicy, example: Example, temperature: float) -> torch.Tensor:
    """One row at a time, no padding, the library's own forward."""
    scores = []
    for prompt, response in zip(example.prompts, example.responses, strict=True):
        tokens = torch.tensor([[*policy.prompt_tokens(prompt), *response]])
        log_probs = (policy.model(tokens).logits[0].float() / temperature).log_softmax(-1)
        start = tokens.shape[1] - len(response) - 1
        scores += [log_probs[start + offset, token] for offset, token in enumerate(response)]
    return torch.stack(scores)


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
@torch.no_grad()
def test_padding_changes_nothing(architecture: str) -> None:
    policy = tiny_policy(architecture)
    policy.model.eval()
    together = policy.log_probs(EXAMPLES, Sampling(0.7)).log_probs_N
    alone = torch.cat([by_hand(policy, example, 0.7) for example in EXAMPLES])
    assert torch.allclose(together, alone, atol=2e-5)


@torch.no_grad()
def test_entropy_and_uniform_log_probs_only_when_asked_for() -> None:
    policy = tiny_policy()
    policy.model.eval()
    bare = policy.log_probs(EXAMPLES)
    assert bare.entropy_N is None and bare.uniform_log_probs_N is None
    full = policy.log_probs(EXAMPLES, wanted=Wanted(entropy=True, uniform=True))
    tokens = torch.tensor([[*policy.prompt_tokens("ab"), 5]])
    log_probs = policy.model(tokens).logits[0, -2].log_softmax(-1)
    assert full.entropy_N is not None and full.uniform_log_probs_N is not None
    assert float(full.entropy_N[0]) == pytest.approx(float(-(log_probs.exp() * log_probs).sum()), abs=1e-5)
    assert float(full.uniform_log_probs_N[0]) == pytest.approx(float(log_probs.mean()), abs=1e-4)


def test_a_saved_policy_loads_and_scores_the_same(tmp_path: Path) -> None:
    policy = tiny_policy()
    policy.model.eval()
    policy.save(tmp_path)
    loaded = open_policy(str(tmp_path))
    with torch.no_grad():
        assert torch.equal(policy.log_probs(EXAMPLES).log_probs_N, loaded.log_probs(EXAMPLES).log_probs_N)
    assert not [path for path in tmp_path.iterdir() if path.suffix in (".bin", ".pt", ".pkl")]


def test_an_encoded_answer_ends() -> None:
    policy = tiny_policy(words=("yes",))
    assert policy.decode(policy.encode(" yes")) == " yes"
    assert policy.encode(" yes")[-1] == policy.end_tokens[0]


def test_chat_messages_need_a_template() -> None:
    policy = tiny_policy()
    with pytest.raises(ModelError, match="no chat template"):
        policy.prompt_tokens([{"role": "user", "content": "hi"}])
    policy.tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}!{% endfor %}"
    assert policy.decode(policy.prompt_tokens([{"role": "user", "content": "hi"}])).endswith("hi!")


def test_a_prompt_that_is_too_long_is_named() -> None:
    policy = tiny_policy("gpt2")
    policy.check_prompt("short", 8)
    with pytest.raises(DataError, match="128"):
        policy.check_prompt("x" * 125, 8)


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
