"""Which rows of a training step made an answer more or less likely.

The influence of a row on an answer is the change of the answer's log-probability that the step owes to the row:

    ∇ log π(answer) · (Δθ - Δθ without the row)

Δθ is what AdamW does with the gradient of the whole step, its length clipped, and Δθ without the row what it would have
done with the rest, each weight divided by its own scale: without that preconditioner most of the order of the rows is
lost ("Data attribution under adaptive optimisers", arXiv 2605.18814). Only the answer's log-probability is taken to
first order. Weights of the loss are those of the whole step, with the row or without it.

Where a step has several passes or parts, it is looked at as if it were one. Tensors: R rows, A answers.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

import torch
from torch import Tensor

from backsight.policies.base import Policy, trained_weights
from backsight.training.objective import micro_batch_loss
from backsight.training.trainer import Trainer
from backsight.training.update import take_step
from backsight.training.weights import WeightedExample
from backsight.types import Example

ROUNDING = 1e-6
"""What torch's clipping adds to the length of a gradient."""


class StepInfluences:
    """A training step that is about to be taken, and what its rows would do to answers."""

    def __init__(self, trainer: Trainer, examples: Sequence[Example]) -> None:
        """Weigh the rows of the trainer's next step."""
        self.trainer, self.config = trainer, trainer.config
        trainer.set_learning_rate()
        self.rows = trainer.weigh(examples)
        """The rows that the step learns from."""
        self.parameters = [each for group in trainer.optimizer.param_groups for each in group["params"]]

    def influences(self, answers: Sequence[Example]) -> Tensor:
        """Return the influence of each row on each answer, (A, R), in nats of the answer's log-probability."""
        whole = self.gradient(self.rows)
        steps = list(self._adamw(whole, self._scale(whole)))
        wanted = [self.answer_gradient(answer) for answer in answers]
        columns = []
        for row in self.rows:
            own = self.gradient([row])
            rest = [total - part for total, part in zip(whole, own, strict=True)]
            owed = [step - other for step, other in zip(steps, self._adamw(rest, self._scale(rest)), strict=True)]
            columns.append([_product(each, owed) for each in wanted])
        return torch.tensor(columns).reshape(len(self.rows), len(answers)).mT

    def log_probs_without(self, left_out: Collection[int], answers: Sequence[Example]) -> list[float]:
        """Take the step without some rows, by their indices, return what the answers are worth then, and undo it."""
        trainer, state = self.trainer, self.trainer.update_state
        weights = [
            *self.parameters,
            *trained_weights(trainer.policy.module).values(),
        ]  # masters, and what they round to
        before = [each.detach().clone() for each in weights]
        kept = {each: {name: value.clone() for name, value in own.items()} for each, own in self._states()}
        rows = [row for index, row in enumerate(self.rows) if index not in left_out]
        take_step(trainer.policy, rows, trainer.optimizer, self.config, state)
        found = [answer_log_prob(trainer.policy, answer).item() for answer in answers]
        with torch.no_grad():
            for parameter, value in zip(weights, before, strict=True):
                parameter.copy_(value)
        trainer.optimizer.state.clear()
        trainer.optimizer.state.update(kept)
        return found

    def _states(self) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        yield from ((each, own) for each, own in self.trainer.optimizer.state.items() if own)

    def gradient(self, rows: Sequence[WeightedExample]) -> list[Tensor]:
        """Return the gradient of the rows' share of the loss, a tensor for each weight."""
        policy, size = self.trainer.policy, self.trainer.update_state.micro_batch_size
        self.trainer.optimizer.zero_grad(set_to_none=True)
        for cut in policy.micro_batches([each.example for each in rows], size):
            loss, _, _ = micro_batch_loss(policy, [rows[index] for index in cut], self.config)
            loss.backward()  # type: ignore[no-untyped-call]
        return self._take_gradient()

    def answer_gradient(self, answer: Example) -> list[Tensor]:
        """Return the gradient of the answer's log-probability, a tensor for each weight."""
        self.trainer.optimizer.zero_grad(set_to_none=True)
        answer_log_prob(self.trainer.policy, answer).backward()  # type: ignore[no-untyped-call]
        return self._take_gradient()

    def _take_gradient(self) -> list[Tensor]:
        taken = [torch.zeros_like(each) if each.grad is None else each.grad for each in self.parameters]
        self.trainer.optimizer.zero_grad(set_to_none=True)
        return taken

    def _scale(self, gradient: Sequence[Tensor]) -> float:
        """Return the number that brings the gradient down to its largest length."""
        norm = math.sqrt(sum(float(each.square().sum()) for each in gradient))
        return min(1.0, self.config.max_grad_norm / (norm + ROUNDING))

    def _adamw(self, gradient: Sequence[Tensor], scale: float) -> Iterator[Tensor]:
        """Yield the change of each weight in AdamW's step by this gradient, without the decay, which is no row's."""
        options = self.trainer.optimizer.param_groups[0]
        rate, (beta1, beta2), epsilon = options["lr"], options["betas"], options["eps"]
        for parameter, own in zip(self.parameters, gradient, strict=True):
            state = self.trainer.optimizer.state.get(parameter) or {}
            count = float(state.get("step", 0.0)) + 1
            first, second = own * scale * (1 - beta1), (own * scale).square_().mul_(1 - beta2)
            if state:
                first.add_(state["exp_avg"], alpha=beta1)
                second.add_(state["exp_avg_sq"], alpha=beta2)
            deviation = second.div_(1 - beta2**count).sqrt_().add_(epsilon)
            yield first.mul_(-rate / (1 - beta1**count)).div_(deviation)


def _product(one: Sequence[Tensor], two: Sequence[Tensor]) -> float:
    return sum(float((left * right).sum()) for left, right in zip(one, two, strict=True))


def answer_log_prob(policy: Policy, answer: Example) -> Tensor:
    """Return the log-probability of the whole answer, by the plain softmax; differentiable."""
    return policy.log_probs([answer]).log_probs_N.sum()
