"""Whether the sampler and the learner see the same policy: measured on every step, before its first update.

What is compared comes from the learner's first pass over the attempts of the step, so that it costs nothing; a step
without one has a group scored for it. Tensors: N decisions.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from backsight.distributed.ranks import ALONE, Ranks
from backsight.errors import ConfigError, ModelError
from backsight.hindsight.base import policy_gradient_row
from backsight.policies.base import Policy
from backsight.profiling import Profile
from backsight.rollouts.base import Engine
from backsight.rollouts.bounds import BOUNDS, Bound, coarsest
from backsight.rollouts.in_process import InProcessEngine
from backsight.training.config import TrainingConfig
from backsight.training.frozen_scores import ELSEWHERE, score_in_batches
from backsight.training.objective import has_signal
from backsight.training.weights import ScoredExample
from backsight.types import Example, Group, ScoreRequest

LARGEST, MEAN = "sampling/sampling_logp_difference/max", "sampling/sampling_logp_difference/mean"
"""Names of the metrics, which are TRL's."""


EDGE_SHARE = 1e-3
"""Most contexts with a token at the edge of top-p, top-k or min-p, which rounding rules out for the sampler or for the
learner alone, as a share of all decisions (1e-5 were seen in float32). Siblings in the same context count once."""


class Agreement:
    """The differences between the log-probabilities of the sampler and the learner, and what follows from them.

    Where the loss is finer than these are exact, as GSPO's bounds of 3e-4 are with bfloat16, an attempt is compared
    with the learner's own log-probabilities from before the update, and not with the sampler's.
    """

    def __init__(self, policy: Policy, engine: Engine, config: TrainingConfig, ranks: Ranks = ALONE) -> None:
        """Find out how exact sampler and learner are.

        Raises:
            ConfigError: when the loss is finer than that, and the learner no longer has the weights that sampled.
        """
        self.policy, self.config, self.ranks = policy, config, ranks
        self.is_own_engine = isinstance(engine, InProcessEngine)
        self.dtype = coarsest([engine.dtype, *(weight.dtype for weight in policy.module.parameters())])
        is_exact = self.is_own_engine and self.dtype is torch.float32
        self.recomputes = config.loss.is_finer_than_bf16 and not is_exact
        if self.recomputes and config.max_staleness:
            remedy = f"the ratios of loss_type={config.loss.loss_type} are finer than {self._cause}; set loss_type=tis"
            raise ConfigError("max_staleness", config.max_staleness, remedy)
        self._differences: list[Tensor] = []
        self._beyond: set[Hashable] = set()
        """Contexts in which the difference is above the largest that is allowed."""
        self._is_open = self._is_bounded = True

    def begin(
        self, step: int, examples: Sequence[Example], groups: Sequence[Group], size: int, profile: Profile
    ) -> None:
        """Begin a step: compare a group at once where the update will not score what was sampled before it changes.

        Raises:
            ModelError: when the difference is above the bound.
        """
        self._differences, self._beyond, self._is_open = [], set(), True
        self._is_bounded = self.config.max_staleness == 0 or step == 0  # later, the weights differ as well
        taught = [each for each in examples if has_signal(each, self.config)]
        sampled = [each.behaviour_log_probs is not None for each in taught]
        if any(sampled) if self.config.mini_batches == 1 else sampled and all(sampled):
            return
        group = max(groups, key=lambda each: sum(one.num_decisions for one in each.trajectories), default=None)
        self.measure([] if group is None else [group], size, profile)

    def measure(self, groups: Sequence[Group], size: int, profile: Profile) -> None:
        """Compare all attempts of the groups, in micro-batches of `size` tokens, at once.

        Raises:
            ModelError: when the difference is above the bound.
        """
        attempts = [each for group in groups for each in group.trajectories]
        attempts = [attempts[place] for place in self.ranks.part(len(attempts))]
        rows = [policy_gradient_row(each, torch.zeros(each.num_decisions)) for each in attempts]
        self._compare(rows, self._scores(rows, size, profile) if rows else [])
        self.close()

    def clear(self) -> None:
        """Forget what was compared in this pass, which is done again."""
        if self._is_open:
            self._differences, self._beyond = [], set()

    def settle(self, examples: Sequence[Example], log_probs_N: Tensor) -> list[Example]:
        """Compare rows with the learner's log-probabilities, (N,); return them as the loss has to compare them."""
        own = list(torch.split(log_probs_N.detach(), [each.num_decisions for each in examples]))
        if self._is_open:
            self._compare(examples, own)
        return _with_behaviour(examples, own) if self.recomputes and self._num_updates == 1 else list(examples)

    def settle_before(
        self, parts: Sequence[list[ScoredExample]], size: int, profile: Profile
    ) -> list[list[ScoredExample]]:
        """Return the parts that each have an update of their own, with the log-probabilities from before the first.

        Each part is cut as it will be in its update, because in low precision a row's neighbours change its rounding.
        """
        if not self.recomputes or self._num_updates == 1:
            return list(parts)
        settled = []
        for part in parts:
            places = [
                place
                for place, (example, scores) in enumerate(part)
                if scores is not ELSEWHERE and has_signal(example, self.config)
            ]
            rows = [part[place][0] for place in places]
            own = self._scores(rows, size, profile) if rows else []
            if self._is_open:
                self._compare(rows, own)
            known = dict(zip(places, _with_behaviour(rows, own), strict=True))
            settled.append([(known.get(place, example), scores) for place, (example, scores) in enumerate(part)])
        self.close()
        return settled

    def close(self) -> None:
        """End the comparison, before the weights change.

        Raises:
            ModelError: when the difference is above the bound.
        """
        if not self._is_open:
            return
        self._is_open = False
        self._gather()
        bound = BOUNDS[self.dtype]
        found = self._measured(bound)
        if found is not None and self._is_bounded and not found.holds(bound):
            name = f"{type(self.policy.module).__name__} {getattr(self.policy.module, 'name_or_path', '')}"
            remedy = (
                f"sampler and learner disagree: log-probabilities differ by up to {found.largest:.2g}, "
                f"{found.mean:.2g} on average (bounds: {bound.largest:g}, {bound.mean:g}); {self._remedy}"
            )
            raise ModelError("policy", name.strip()[-80:], remedy)

    def _gather(self) -> None:
        """Take in what was compared on the other ranks."""
        self._differences = self.ranks.join([each.cpu() for each in self._differences])
        self._beyond = set().union(*self.ranks.gather(self._beyond))

    @property
    def metrics(self) -> dict[str, float]:
        """The largest and the mean difference of the step; none when nothing was sampled."""
        found = self._measured()
        if found is None:
            return {}
        return {LARGEST: found.largest, MEAN: found.mean}

    def _measured(self, bound: Bound | None = None) -> Bound | None:
        """Return the largest and the mean difference; with a bound, without those of tokens at an edge."""
        if not self._differences:
            return None
        differences_N = torch.cat(self._differences)
        if bound is not None and self._has_edges and len(self._beyond) <= 1 + EDGE_SHARE * len(differences_N):
            differences_N = differences_N.masked_fill(differences_N > bound.largest, 0.0)
        return Bound.of(differences_N)

    @property
    def _has_edges(self) -> bool:
        return self.config.top_k > 0 or self.config.top_p < 1 or self.config.min_p > 0

    @property
    def _num_updates(self) -> int:
        return self.config.num_iterations * self.config.mini_batches

    @property
    def _cause(self) -> str:
        return str(self.dtype).removeprefix("torch.") if self.is_own_engine else "another engine"

    @property
    def _remedy(self) -> str:
        if not self.is_own_engine:
            return "try engine=in_process"
        if self.config.bf16:
            return "try bf16=false; if that is no better, take another model"
        return "try another release of transformers, shorter prompts and completions, or another model"

    def _scores(self, rows: Sequence[Example], size: int, profile: Profile) -> list[Tensor]:
        answers = dict(score_in_batches(self.policy, rows, self.config.sampling, size, profile, ScoreRequest()))
        return [answers[index].log_probs_N for index in range(len(rows))]

    def _compare(self, rows: Sequence[Example], own: Sequence[Tensor]) -> None:
        for row, own_T in zip(rows, own, strict=True):
            if row.behaviour_log_probs is not None:
                differences_T = (own_T.float() - row.behaviour_log_probs.to(own_T.device)).abs()
                self._differences.append(differences_T)
                beyond = (differences_T > BOUNDS[self.dtype].largest).nonzero()[:, 0].tolist()
                self._beyond |= _contexts(row, beyond)


def _contexts(row: Example, places: Sequence[int]) -> set[Hashable]:
    """Return what stood before these decisions of a row, which siblings share: prompts, and what was said so far."""
    said = [part for response in row.responses for part in (response if isinstance(response, tuple) else (response,))]
    return {(repr(row.prompts), repr(said[:place])) for place in places}


def _with_behaviour(rows: Sequence[Example], own: Sequence[Tensor]) -> list[Example]:
    """Return the rows with these log-probabilities of the behaviour, (T,) each; without, where they have none."""
    return [
        row if row.behaviour_log_probs is None else replace(row, behaviour_log_probs=own_T.cpu())
        for row, own_T in zip(rows, own, strict=True)
    ]
