"""The proof that a server has the weights it was given: it is made after each transfer, or the run stops.

A server that quietly goes on with old weights is the worst of all faults, because everything seems to work.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import torch

from backsight.errors import EngineError
from backsight.policies import adapters
from backsight.policies.base import Policy
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.rollouts.bounds import BOUNDS, Bound, coarsest
from backsight.types import Action, Example, Observation, Sampling

PROBES = ("The capital of France is", "One, two, three,", "def add(a, b):")
"""Prompts whose answers are compared."""
SAMPLING = Sampling(temperature=0.7, top_k=20, max_completion_length=8)
"""How they are answered: a temperature and a limit show whether the server counts them in, as the learner does."""
SEED = 0
NOTHING = hashlib.sha256().hexdigest()
"""Checksum of a weight that the server has packed for its kernels, so that it cannot tell the bytes any more."""
MOST_HASHED = 2**24
"""Most numbers whose checksum is compared; the smallest weights come first, and all of them change in each step."""


def check_checksums(policy: CausalLMPolicy, served: Mapping[str, str], dtype: torch.dtype, url: str) -> None:
    """Compare weights byte by byte, by the checksums of a server that computes in `dtype`.

    Weights that the server has joined, packed or sharded have other names or bytes there, and are left out; so are
    embeddings and head, to which it adds rows.

    Raises:
        EngineError: when a weight differs.
    """
    if adapters.has_adapter(policy.model):
        return
    found: dict[str, set[str]] = {}
    for name, checksum in served.items():
        found.setdefault(name.rpartition(":")[2], set()).add(checksum)
    ends = policy.model.get_input_embeddings(), policy.model.get_output_embeddings()
    padded = {id(each.weight) for each in ends if each is not None}
    left = MOST_HASHED
    for name, weight in sorted(policy.model.named_parameters(), key=lambda each: each[1].numel()):
        if id(weight) in padded:
            continue
        if (left := left - weight.numel()) < 0:
            break
        checksums = found.get(name, {NOTHING})
        if len(checksums) == 1 and NOTHING not in checksums and _checksum(weight.detach().to(dtype)) not in checksums:
            raise EngineError("engine.url", url, f"has not taken the new weights: {name} differs; start it anew")


def check_answers(policy: Policy, answers: Sequence[Action], dtype: torch.dtype, url: str) -> Bound:
    """Compare a server's log-probabilities of its answers to the `PROBES` with the policy's own.

    Return how far they are apart.

    Raises:
        EngineError: when they are further apart than rounding explains.
    """
    found = Bound.of(differences(policy, PROBES, answers, SAMPLING))
    bound = BOUNDS[coarsest([dtype, *(weight.dtype for weight in policy.module.parameters())])]
    if not found.holds(bound):
        what = f"log-probabilities of its answers differ by up to {found.largest:.2g}, {found.mean:.2g} on average"
        remedy = f"does not have the new weights: {what} (bounds: {bound.largest:g}, {bound.mean:g})"
        raise EngineError("engine.url", url, f"{remedy}; let the run start a server (engine.start=true)")
    return found


@torch.no_grad()
def differences(
    policy: Policy, prompts: Sequence[Observation], answers: Sequence[Action], sampling: Sampling
) -> torch.Tensor:
    """Return how far the log-probabilities that answers came with are from the policy's own, for each token, (N,)."""
    rows = [
        Example((prompt,), (answer.value,), "proof", advantages=torch.zeros(len(answer.log_probs)))
        for prompt, answer in zip(prompts, answers, strict=True)
    ]
    own_N = policy.log_probs(rows, sampling).log_probs_N.cpu().float()
    return (own_N - torch.cat([answer.log_probs for answer in answers])).abs()


def _checksum(weight: torch.Tensor) -> str:
    # bfloat16 is unknown to NumPy, bytes are not. It sees a copy: torch frees no storage that NumPy has seen, and ranks
    # free theirs
    own = weight.detach().to("cpu", copy=True).contiguous()
    return hashlib.sha256(own.view(-1).view(torch.uint8).numpy().tobytes()).hexdigest()
