"""Any `torch.nn.Module` as a policy: a batch of flat observations in, one row of numbers for each out.

Tensors: N decisions (steps), D numbers of an observation, V numbers of the module's output, A numbers of an action.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_model
from torch import Tensor, nn
from torch.func import functional_call

from backsight.errors import ModelError, SpaceError
from backsight.policies.distributions import ActionHead
from backsight.types import Action, ActionValue, Decisions, Example, Observation, Sampling

WEIGHTS_FILE = "model.safetensors"
SMALLEST_PROB = torch.finfo(torch.float32).tiny
"""A softmax may underflow to zero, whose logarithm is of no use."""


class ModulePolicy:
    """A module over a Gymnasium space; it is also the engine that acts for it. A decision is one action.

    Whether the module returns probabilities or logits is settled once, on sample observations: it returns
    probabilities when its outputs are non-negative and sum to 1 on all of them, and still do with all of its
    weights moved a little, which no logits survive.
    """

    def __init__(self, module: nn.Module, head: ActionHead, samples_ND: NDArray[np.float32]) -> None:
        """`samples_ND` are a few observations that the module must be able to read.

        Raises:
            ModelError: the module has nothing to train.
            SpaceError: it cannot read the observations, or its outputs do not fit the action space.
        """
        parameters = [each for each in module.parameters() if each.is_floating_point()]
        if not any(each.requires_grad for each in parameters):
            raise ModelError("model", type(module).__name__, "has no trainable weights; give it some")
        self.module, self.head = module, head
        self.device, self.dtype = parameters[0].device, parameters[0].dtype
        self.generator = torch.Generator()
        self.gives_probabilities = False
        outputs_NV = self._checked_outputs(samples_ND)
        self.gives_probabilities = head.are_probabilities(outputs_NV) and head.are_probabilities(
            self._shaken_outputs(samples_ND)
        )

    @torch.no_grad()
    def act(self, observations: Sequence[Observation], sampling: Sampling, seed: int) -> list[Action]:
        """One action an observation, an array (A,) of indices or of numbers in the environment's units.

        Raises:
            ModelError: the module returned NaN or infinity.
        """
        if self.module.training:
            self.module.eval()  # and left so: whoever learns sets the mode
        outputs_NV = self._outputs(np.stack(observations)).cpu()
        distribution = self.head.distribution(outputs_NV, sampling.temperature)
        if sampling.temperature == 0:
            actions_NA = distribution.most_likely()
        else:
            actions_NA = distribution.draw(self.generator.manual_seed(seed))
        log_probs_N = distribution.log_probs(actions_NA)
        if not math.isfinite(log_probs_N.sum()):
            raise ModelError("model", "its outputs are no longer finite", "lower learning_rate")
        return [
            Action(value_A, log_prob_1)
            for value_A, log_prob_1 in zip(actions_NA.numpy(), log_probs_N[:, None].unbind(), strict=True)
        ]

    def log_probs(
        self,
        examples: Sequence[Example],
        *,
        temperature: float = 1.0,
        with_entropy: bool = False,
        with_uniform: bool = False,
    ) -> Decisions:
        observations_ND = np.stack([prompt for example in examples for prompt in example.prompts])
        actions_NA = np.stack([response for example in examples for response in example.responses])
        distribution = self.head.distribution(self._outputs(observations_ND), temperature)
        return Decisions(
            distribution.log_probs(torch.from_numpy(actions_NA).to(self.device)),
            entropy_N=distribution.entropy() if with_entropy else None,
            uniform_log_probs_N=distribution.uniform_log_probs() if with_uniform else None,
        )

    def size(self, example: Example) -> int:
        return len(example.prompts)

    def encode(self, text: str) -> ActionValue:
        raise ModelError("model", type(self.module).__name__, "reads no text; use a language model for corrections")

    def check_prompt(self, prompt: Observation, max_completion_length: int) -> None:
        """An action always fits."""

    def save(self, folder: Path) -> None:
        save_model(self.module, str(folder / WEIGHTS_FILE))

    def _outputs(self, observations_ND: NDArray[Any]) -> Tensor:
        """(N, V) in float32: logits, or means and deviations."""
        outputs_NV: Tensor = self.module(self._inputs(observations_ND)).float()
        if self.gives_probabilities:
            return outputs_NV.clamp(min=SMALLEST_PROB).log()
        return outputs_NV

    def _inputs(self, observations_ND: NDArray[Any]) -> Tensor:
        return torch.from_numpy(observations_ND).to(self.device, self.dtype)

    @torch.no_grad()
    def _checked_outputs(self, samples_ND: NDArray[np.float32]) -> Tensor:
        """The outputs on the samples, once they are known to be what the action space needs."""
        name, width = type(self.module).__name__, samples_ND.shape[1]
        was_training = self.module.training
        self.module.eval()
        try:
            outputs_NV = self.module(self._inputs(samples_ND))
            first_1V = self.module(self._inputs(samples_ND[:1]))
        except Exception as error:  # a module may be anybody's code
            remedy = f"cannot read a batch of observations of {width} numbers ({error}); change its input layer"
            raise SpaceError("model", name, remedy) from error
        finally:
            self.module.train(was_training)
        expected = [(len(samples_ND), width) for width in self.head.widths]
        if not isinstance(outputs_NV, Tensor) or tuple(outputs_NV.shape) not in expected:
            got = tuple(outputs_NV.shape) if isinstance(outputs_NV, Tensor) else type(outputs_NV).__name__
            raise SpaceError("model", f"{name} gave {got} for {len(samples_ND)} observations", self.head.contract)
        if not outputs_NV.isfinite().all():
            raise SpaceError("model", f"{name} returned NaN or infinity", self.head.contract)
        if not torch.allclose(outputs_NV[:1], first_1V, rtol=1e-2, atol=1e-3):
            remedy = "an observation's output must not depend on the others of its batch; use softmax(dim=-1)"
            raise SpaceError("model", name, remedy)
        return outputs_NV.float()

    @torch.no_grad()
    def _shaken_outputs(self, samples_ND: NDArray[np.float32]) -> Tensor:
        weights = {name: weight * 1.01 + 0.01 for name, weight in self.module.named_parameters()}
        outputs_NV: Tensor = functional_call(self.module, weights, (self._inputs(samples_ND),)).float()
        return outputs_NV
