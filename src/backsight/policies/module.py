"""Policies made of any `torch.nn.Module` that turns a batch of flat observations into one row of numbers each.

Tensors: N decisions (steps), D numbers of an observation, V numbers of the module's output, A numbers of an action,
K actions whose log-probabilities are asked for.
"""

from __future__ import annotations

import copy
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

from backsight.disk import open_to_others
from backsight.errors import ModelError, SpaceError
from backsight.policies.distributions import ActionHead, CategoricalHead
from backsight.policies.memory import move_to_own_memory
from backsight.policies.scoring.layout import micro_batches
from backsight.profiling import Profile
from backsight.types import Action, ActionValue, Decisions, Example, Observation, Sampling, ScoreRequest

PLAIN = Sampling()
NO_EXTRAS = ScoreRequest()
WEIGHTS_FILE = "model.safetensors"
SMALLEST_PROB = torch.finfo(torch.float32).tiny
"""Least probability that is used: a softmax may underflow to zero, whose logarithm is infinite."""


class ModulePolicy:
    """A module that acts in a Gymnasium action space. A decision is one action.

    Whether the module returns probabilities or logits is settled once, on sample observations: it returns
    probabilities when its outputs are non-negative and sum to 1 on all of them, and still do with all of its
    weights moved a little, which no logits survive.
    """

    kind = "module"

    def __init__(self, module: nn.Module, head: ActionHead, samples_ND: NDArray[np.float32]) -> None:
        """Make a policy of the module, after a trial on `samples_ND`, a few observations that it must be able to read.

        Raises:
            ModelError: when the module has nothing to train.
            SpaceError: when the module cannot read the observations, or its outputs do not fit the action space.
        """
        parameters = [each for each in module.parameters() if each.requires_grad]
        if not parameters:
            raise ModelError("model", type(module).__name__, "has no trainable weights; give it some")
        move_to_own_memory(module)
        self.module, self.head = module, head
        self.device, self.dtype = parameters[0].device, parameters[0].dtype
        self.profile = Profile()
        self.gives_probabilities = False
        was_training = module.training
        module.eval()
        outputs_NV = self._check_outputs(samples_ND)
        self.gives_probabilities = head.are_probabilities(outputs_NV) and head.are_probabilities(
            self._shaken_outputs(samples_ND)
        )
        module.train(was_training)

    @property
    def lists_actions(self) -> bool:
        return isinstance(self.head, CategoricalHead) and len(self.head.sizes) == 1

    @torch.no_grad()
    def act(
        self, observations: Sequence[Observation], sampling: Sampling, seeds: Sequence[int]
    ) -> list[tuple[int, Action]]:
        """Draw one action for each observation: an array (A,) of indices or of numbers in the environment's units.

        Raises:
            ModelError: when the module returned NaN or infinity.
        """
        if self.module.training:
            self.module.eval()  # it stays so, because what is scored has to be the function that was sampled from
        outputs_NV = self._outputs(np.array(observations)).cpu()
        distribution = self.head.distribution(outputs_NV, sampling.temperature)
        if sampling.temperature == 0:
            actions_NA = distribution.most_likely()
        else:
            actions_NA = distribution.draw(seeds)
        log_probs_N = distribution.log_probs(actions_NA)
        if not math.isfinite(log_probs_N.sum()):
            raise ModelError(
                "model", "its outputs are no longer finite", "lower learning_rate, or look for NaN in the observations"
            )
        return [
            (index, Action(value_A, log_prob_1))
            for index, (value_A, log_prob_1) in enumerate(
                zip(actions_NA.numpy(), log_probs_N.unsqueeze(-1).unbind(), strict=True)
            )
        ]

    def log_probs(
        self,
        examples: Sequence[Example],
        sampling: Sampling = PLAIN,
        request: ScoreRequest = NO_EXTRAS,
    ) -> Decisions:
        observations_ND = np.array([prompt for example in examples for prompt in example.prompts])
        actions_NA = np.array([response for example in examples for response in example.responses])
        distribution = self.head.distribution(self._outputs(observations_ND), sampling.temperature)
        support_NK, support_log_probs_NK = request.support_NK, None
        if request.top_k or support_NK is not None:
            log_probs_NK = distribution.all_log_probs()
            if support_NK is None:
                support_NK = log_probs_NK.detach().topk(min(request.top_k, log_probs_NK.shape[-1]), -1).indices
            support_log_probs_NK = log_probs_NK.gather(-1, support_NK)
        return Decisions(
            distribution.log_probs(torch.from_numpy(actions_NA).to(self.device)),
            num_tokens=len(actions_NA),
            entropy_N=distribution.entropy() if request.entropy else None,
            uniform_log_probs_N=distribution.uniform_log_probs() if request.uniform else None,
            support_NK=support_NK,
            support_log_probs_NK=support_log_probs_NK,
        )

    def features(self, examples: Sequence[Example]) -> Tensor:
        return self._inputs(np.array([prompt for example in examples for prompt in example.prompts]))

    def micro_batches(self, examples: Sequence[Example], budget: int) -> list[list[int]]:
        return micro_batches([(len(example.prompts), 1) for example in examples], budget)

    def recompute_layers(self) -> bool:
        return False  # its layers are not known

    def encode(self, text: str) -> ActionValue:
        raise ModelError("model", type(self.module).__name__, "reads no text; use a language model for corrections")

    def pieces(self, response: ActionValue) -> list[str]:
        return [", ".join(f"{number:g}" for number in np.atleast_1d(response))]

    def check_prompt(self, prompt: Observation, max_completion_length: int) -> None:
        """Do nothing: an action always fits."""

    def reference(self) -> ModulePolicy:
        return copy.deepcopy(self)

    def save(self, folder: Path) -> None:
        save_model(self.module, str(folder / WEIGHTS_FILE))
        open_to_others(folder)

    def _outputs(self, observations_ND: NDArray[Any]) -> Tensor:
        """Compute the module's outputs in float32, (N, V): logits, or means and log-deviations."""
        outputs_NV: Tensor = self.module(self._inputs(observations_ND)).float()
        if self.gives_probabilities:
            return outputs_NV.clamp(min=SMALLEST_PROB).log()
        return outputs_NV

    def _inputs(self, observations_ND: NDArray[Any]) -> Tensor:
        return torch.from_numpy(observations_ND).to(self.device, self.dtype)

    def _check_outputs(self, samples_ND: NDArray[np.float32]) -> Tensor:
        """Compute the outputs on the samples, (N, V), and check that they are what the action space needs."""
        name, (count, width) = type(self.module).__name__, samples_ND.shape
        try:
            outputs_NV = self.module(self._inputs(samples_ND))
            first_1V = self.module(self._inputs(samples_ND[:1]))
        except Exception as error:  # a module may be anybody's code
            remedy = f"cannot read a batch of observations of {width} numbers ({error}); change its input layer"
            raise SpaceError("model", name, remedy) from error
        for outputs, rows in ((outputs_NV, count), (first_1V, 1)):
            shape = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
            if shape not in [(rows, width) for width in self.head.widths]:
                raise SpaceError("model", f"{name} gave {shape} for {rows} observations", self.head.contract)
        if not outputs_NV.isfinite().all():
            raise SpaceError("model", f"{name} returned NaN or infinity", self.head.contract)
        if not torch.allclose(outputs_NV[:1], first_1V, rtol=1e-2, atol=1e-3):
            remedy = "the output of an observation must not depend on others of its batch; use softmax(dim=-1)"
            raise SpaceError("model", name, remedy)
        if not outputs_NV.requires_grad:
            raise ModelError("model", name, "its outputs do not depend on weights that can be trained")
        samples: Tensor = outputs_NV.detach().float()
        return samples

    @torch.no_grad()
    def _shaken_outputs(self, samples_ND: NDArray[np.float32]) -> Tensor:
        weights = {name: weight * 1.01 + 0.01 for name, weight in self.module.named_parameters()}
        outputs_NV: Tensor = functional_call(self.module, weights, (self._inputs(samples_ND),)).float()
        return outputs_NV
