"""Loss and gradient of every algorithm that TRL has as well, number by number against TRL's own trainers."""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import tiny_policy

from backsight.feedback.overlong import soft_overlong_punishment
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.training.config import StopConfig, TrainingConfig
from backsight.training.frozen_scores import FrozenScores
from backsight.training.objective import micro_batch_loss
from backsight.training.weights import weigh_examples
from backsight.types import Action, Example, Step, Trajectory

trl = pytest.importorskip("trl", reason="TRL is not installed: pip install -e '.[bench]'")

PROMPTS = ("ab", "ab", "a longer prompt", "a longer prompt")
RESPONSES = ((7, 8, 9, 0), (10, 11), (12, 13, 14, 15, 16, 0), (17, 18, 19))
ADVANTAGES = (1.2, -0.7, 0.4, -1.5)
CAP = 8
DRIFTS = (0.4, -0.3, 0.05, 0.0, 1.3, -0.9)
"""Log-ratios of the decisions to those of who sampled, in turn: some within every clip, and some far outside."""


def sampled(policy: CausalLMPolicy, drift: float) -> list[Example]:
    """The responses as another policy might have sampled them."""
    rows = []
    for prompt, response, advantage in zip(PROMPTS, RESPONSES, ADVANTAGES, strict=True):
        advantages = torch.full((len(response),), advantage)
        row = Example((prompt,), (response,), "outcome", advantages, torch.zeros(len(response)))
        with torch.no_grad():
            own = policy.log_probs([row]).log_probs_N
        moved = torch.tensor([DRIFTS[(place + len(rows)) % len(DRIFTS)] for place in range(len(response))])
        rows.append(Example((prompt,), (response,), "outcome", advantages, own - drift * moved))
    return rows


def pad(rows: list[list[float]], on_the_left: bool, value: float = 0) -> torch.Tensor:
    width = max(map(len, rows))
    return torch.tensor(
        [[value] * (width - len(row)) + row if on_the_left else row + [value] * (width - len(row)) for row in rows]
    )


def inputs_of(policy: CausalLMPolicy, rows: list[Example], references: list[torch.Tensor]) -> dict[str, Any]:
    """The same rows as TRL's trainers hold them."""
    prompts: list[list[float]] = [list(policy.prompt_tokens(each.prompts[0])) for each in rows]
    responses: list[list[float]] = [list(each.responses[0]) for each in rows]
    behaviour = [each.behaviour_log_probs for each in rows if each.behaviour_log_probs is not None]
    return {
        "prompt_ids": pad(prompts, True).long(),
        "prompt_mask": pad([[1.0] * len(each) for each in prompts], True).long(),
        "completion_ids": pad(responses, False).long(),
        "completion_mask": pad([[1.0] * len(each) for each in responses], False).long(),
        "advantages": torch.tensor(ADVANTAGES),
        "old_per_token_logps": pad([each.tolist() for each in behaviour], False),
        "old_logps": torch.stack([each.sum() for each in behaviour]),
        "ref_per_token_logps": pad([each.tolist() for each in references], False),
        "num_items_in_batch": torch.tensor(float(sum(map(len, responses)))),
    }


def trainer_of(kind: str, model: Any, tokenizer: Any, folder: Path, *, beta: float = 0.0, **settings: Any) -> Any:
    from datasets import Dataset

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TRL's own
        config = getattr(trl, f"{kind}Config")(
            output_dir=str(folder),
            per_device_train_batch_size=4,
            num_generations=2,
            max_completion_length=CAP,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            report_to="none",
            disable_dropout=True,
            beta=0.0,
            **settings,
        )
        trainer = getattr(trl, f"{kind}Trainer")(
            model=model,
            reward_funcs=lambda completions, **_: [0.0] * len(completions),
            args=config,
            train_dataset=Dataset.from_dict({"prompt": ["a"] * 4}),
            processing_class=tokenizer,
        )
    trainer.beta = beta  # set now, since the reference that the trainer would load is given with the inputs
    trainer.current_gradient_accumulation_steps = 1
    trainer.model.train()
    return trainer


def gradient_of(model: Any) -> torch.Tensor:
    return torch.cat([each.grad.flatten() for each in model.parameters() if each.grad is not None])


def own(policy: CausalLMPolicy, rows: list[Example], references: list[torch.Tensor], **settings: Any) -> torch.Tensor:
    config = TrainingConfig(stop=StopConfig(max_steps=1), max_completion_length=CAP, **settings)
    known = [FrozenScores(each if config.penalises_kl else None) for each in references]
    weighted = weigh_examples(list(zip(rows, known, strict=True)), config)
    loss, _, _ = micro_batch_loss(policy, weighted, config)
    loss.backward()
    return torch.cat([loss.detach()[None], gradient_of(policy.model)])


CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "grpo": ({"algorithm": "grpo"}, {"loss_type": "grpo"}),
    "dr_grpo": ({"algorithm": "dr_grpo"}, {"loss_type": "dr_grpo"}),
    "dapo": ({"algorithm": "dapo"}, {"loss_type": "dapo", "epsilon_high": 0.28}),
    "gspo": (
        {"algorithm": "gspo", "epsilon": 0.05, "epsilon_high": 0.1},
        {"loss_type": "grpo", "importance_sampling_level": "sequence", "epsilon": 0.05, "epsilon_high": 0.1},
    ),
    # TRL bounds the weight above alone, and names the bound itself
    "cispo": ({"algorithm": "cispo", "epsilon": 1.0, "epsilon_high": 1.5}, {"loss_type": "cispo", "epsilon_high": 2.5}),
    "sapo": ({"algorithm": "sapo"}, {"loss_type": "sapo"}),
    "dual clip": ({"algorithm": "grpo", "loss_type": "dual_clip", "delta": 2.0}, {"loss_type": "grpo", "delta": 2.0}),
    "published divergence": (
        {"algorithm": "grpo", "beta": 0.3, "kl_estimator": "k3"},
        {"loss_type": "grpo", "beta": 0.3, "use_bias_correction_kl": False},
    ),
    "unbiased divergence": (
        {"algorithm": "grpo", "beta": 0.3},
        {"loss_type": "grpo", "beta": 0.3, "use_bias_correction_kl": True},
    ),
    "entropy": ({"algorithm": "grpo", "entropy_coef": 0.1}, {"loss_type": "grpo", "entropy_coef": 0.1}),
}


@pytest.mark.parametrize("drift", [0.0, 1.0])
@pytest.mark.parametrize("name", CASES)
def test_loss_and_gradient_are_those_of_trl(name: str, drift: float, tmp_path: Path) -> None:
    mine, theirs = CASES[name]
    policy = tiny_policy()
    model = copy.deepcopy(policy.model)
    rows = sampled(policy, drift)
    with torch.no_grad():
        references = [tiny_policy(seed=1).log_probs([each]).log_probs_N for each in rows]
    trainer = trainer_of("GRPO", model, policy.tokenizer, tmp_path, **theirs)
    loss = trainer._compute_loss(trainer.model, inputs_of(policy, rows, references))
    loss.backward()
    expected = torch.cat([loss.detach()[None], gradient_of(trainer.model)])
    found = own(policy, rows, references, **mine)
    assert float(expected.abs().max()) > 1e-2
    torch.testing.assert_close(found, expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("drift", [0.0, 0.2, 1.0])
def test_rloo_is_trls_by_the_mean_length(drift: float, tmp_path: Path) -> None:
    """TRL adds up the decisions of a response, and backsight averages over those of the batch.

    On the policy that sampled, where no ratio is clipped, the default loss is the same.
    """
    policy = tiny_policy()
    rows = sampled(policy, drift)
    trainer = trainer_of("RLOO", copy.deepcopy(policy.model), policy.tokenizer, tmp_path)
    loss = trainer._compute_loss(trainer.model, inputs_of(policy, rows, [torch.zeros(1)] * 4))
    loss.backward()
    mean_length = sum(map(len, RESPONSES)) / len(RESPONSES)
    found = own(policy, rows, [torch.zeros(1)] * 4, algorithm="rloo", loss_type="sequence_clip")[1:] * mean_length
    torch.testing.assert_close(found, gradient_of(trainer.model), rtol=2e-5, atol=2e-6)
    if drift == 0:
        plain = own(tiny_policy(), rows, [torch.zeros(1)] * 4, algorithm="rloo")[1:] * mean_length
        torch.testing.assert_close(plain, found, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", ["grpo", "dr_grpo", "dapo", "gspo", "sapo", "unbiased divergence", "entropy"])
def test_truncated_completions_are_left_out_as_trl_leaves_them_out(name: str, tmp_path: Path) -> None:
    """Two of the four responses have no end: TRL's mask is zero there, and its denominators are what they are."""
    mine, theirs = CASES[name]
    policy = tiny_policy()
    rows = [_with_attempt(each) for each in sampled(policy, 1.0)]
    with torch.no_grad():
        references = [tiny_policy(seed=1).log_probs([each]).log_probs_N for each in rows]
    trainer = trainer_of("GRPO", copy.deepcopy(policy.model), policy.tokenizer, tmp_path, **theirs)
    inputs = inputs_of(policy, rows, references)
    inputs["completion_mask"] *= torch.tensor([[int(response[-1] == 0)] for response in RESPONSES])
    inputs["num_items_in_batch"] = inputs["completion_mask"].sum().float()
    loss = trainer._compute_loss(trainer.model, inputs)
    loss.backward()
    expected = torch.cat([loss.detach()[None], gradient_of(trainer.model)])
    found = own(policy, rows, references, mask_truncated_completions=True, **mine)
    assert float(expected.abs().max()) > 1e-2
    torch.testing.assert_close(found, expected, rtol=2e-5, atol=2e-6)


def _with_attempt(row: Example) -> Example:
    """The row with the attempt that it is of, which is cut off where it does not end in the end of text."""
    (tokens,), (prompt,) = row.responses, row.prompts
    action = Action(tokens, torch.zeros(len(tokens)), is_truncated=tokens[-1] != 0)
    return replace(row, trajectory=Trajectory(prompt, (Step(prompt, action),)))


@pytest.mark.parametrize("length", range(1, 11))
def test_the_overlong_punishment_is_that_of_trl(length: int) -> None:
    from trl.rewards import get_soft_overlong_punishment

    (expected,) = get_soft_overlong_punishment(10, 4)(completion_ids=[[7] * length])
    assert soft_overlong_punishment(length, 10, 4) == expected
