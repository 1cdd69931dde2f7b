"""`turnsight`: a turn counts for more where what it led to speaks for it, told from the results of the turns after it.

Place: the advantage of a turn, its magnitude only.
Revealed: the results of the next one, two and three turns: what was observed after each of them.
Source: TurnSight (arXiv:2608.04007).
Loss: that of the run's algorithm, with the advantages A'

    δ_d,S = mean over the tokens of turn S of log π_T(a | s_S with the next d results) - log π_old(a | s_S)
    δ_S   = the δ_d,S that is furthest from 0, of those with the sign that most of them have,   d = 1 … results
    δ̂_S   = (δ_S - mean) / std    over the turns of the group
    A'_S  = A_S · [1 + strength · tanh(sign(A_S) · δ̂_S)]

s_S is the prompt of turn S and a its tokens, A the estimator's advantages, π_T the teacher and π_old the policy that
sampled. The source's π_T is the reference: leave the teacher as it is, frozen at the start. A turn has as many δ as
results follow it; where as many speak for it as against it, δ_S is 0. A turn that nothing is known to have followed,
such as the last of an episode that ended, keeps its advantage and is in no mean, and so does one whose prompt with the
results does not fit into the context. The factor is positive, so that the sign stays that of the reward.

It costs `results` passes of the teacher over the turns of each group with an advantage. The trials of the teacher
(`teacher.check_steps`) are for episodes of one turn, so that here it never pauses. The source's ε, `strength`, is not
among what we have of it: 0.2 is ours.

When not to use it: for episodes of one turn, which it refuses; where every attempt of a group gets the same reward: A
is 0, and stays 0; or where what is observed says nothing of the turn before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from backsight.errors import ConfigError
from backsight.estimators.advantages import are_equal
from backsight.hindsight.advantage.options import TurnSightOptions
from backsight.hindsight.advantage.token_sizes import check_words, multiply
from backsight.hindsight.base import Exchange, Hindsight, LookBack, Scorer, spread_over_decisions
from backsight.hindsight.hints import Hints
from backsight.types import AttemptKey, Group, Observation, Trajectory

INTRODUCTION = "What came next: "
"""Words before the results of the turns that followed."""
SMALLEST_DEVIATION = 1e-6
"""Least standard deviation by which shifts are divided."""

Shift = Mapping[AttemptKey | None, Tensor]
"""δ of each turn, (S,), by the key of the attempt; not a number where nothing is known of what followed."""


class TurnSight(Hindsight[TurnSightOptions]):
    """Method that stretches or shrinks the advantage turn by turn."""

    def __init__(self, options: TurnSightOptions) -> None:
        super().__init__(options)
        self.hints = Hints(options.template)

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        """Return the groups with the new advantages.

        Raises:
            ConfigError: when an observation is not text, or all attempts have a single turn.
        """
        check_words(groups, "turnsight", "use hca, gigpo or graph_hca")
        attempts = [each for group in groups for each in group.trajectories]
        if attempts and all(len(each.steps) == 1 for each in attempts):
            remedy = "looks at what the turns after one led to, and all attempts have a single turn; use rlsd or cscr"
            raise ConfigError("hindsight", "turnsight", remedy)
        moved = [group for group in groups if any(each.any() for each in group.advantages)]
        shifts = self._shifts([each for group in moved for each in group.trajectories], moved, scorer)
        factors = {key: own for group in moved for key, own in self._factors(group, shifts).items()}
        return LookBack(multiply(groups, factors), [])

    def _shifts(self, attempts: Sequence[Trajectory], groups: Sequence[Group], scorer: Scorer) -> Shift:
        asked: list[tuple[Trajectory, int, Exchange]] = []
        for attempt in attempts:
            results = _results(attempt)
            for count in range(1, min(self.options.results, len(results)) + 1):
                told = tuple(
                    self.hints.with_text(prompt, INTRODUCTION + "\n".join(results[turn : turn + count]))
                    for turn, prompt in enumerate(attempt.prompts[: len(results) - count + 1])
                )
                if scorer.fits(told):
                    asked.append((attempt, count, (told, attempt.responses[: len(told)])))
        shown = {each.key: prompts for each, count, (prompts, _) in asked if count == 1 and each.key is not None}
        if not shown or not scorer.trusts_teacher(shown, groups):
            return {}
        known = {each.key: each for each, _, _ in asked}
        sampled = dict(zip(known, scorer.whole_log_probs(list(known.values())), strict=True))
        shifts: dict[AttemptKey | None, list[Tensor]] = {key: [] for key in known}
        answers = scorer.teacher_log_probs([exchange for _, _, exchange in asked])
        for (attempt, _, _), taught in zip(asked, answers, strict=True):
            shifts[attempt.key].append(_mean_by_turn(taught - sampled[attempt.key][: len(taught)], attempt))
        return {key: _strongest(torch.stack(own)) for key, own in shifts.items()}

    def _factors(self, group: Group, shifts: Shift) -> Shift:
        """Return the factor of each decision, (T,), by the key of each attempt of the group with shifts."""
        own = [(each, shifts[each.key]) for each in group.trajectories if each.key in shifts]
        known = torch.cat([shift_S[shift_S.isfinite()] for _, shift_S in own]) if own else torch.zeros(0)
        if are_equal(known):
            return {}
        mean, deviation = known.mean(), known.std(correction=0).clamp(min=SMALLEST_DEVIATION)
        advantages = {each.key: own_T for each, own_T in zip(group.trajectories, group.advantages, strict=True)}
        factors = {}
        for attempt, shift_S in own:
            relative_T = spread_over_decisions(((shift_S - mean) / deviation).nan_to_num(0.0), attempt)
            factors[attempt.key] = 1 + self.options.strength * (advantages[attempt.key].sign() * relative_T).tanh()
        return factors


def _mean_by_turn(shift_T: Tensor, attempt: Trajectory) -> Tensor:
    """Return the mean of each turn, (S,), of shifts that may end before the attempt does; not a number after that."""
    lengths = [len(step.action.log_probs) for step in attempt.steps]
    ends = torch.tensor(lengths).cumsum(0).tolist()
    return torch.stack(
        [
            shift_T[end - length : end].mean() if end <= len(shift_T) else torch.tensor(torch.nan)
            for length, end in zip(lengths, ends, strict=True)
        ]
    )


def _strongest(shifts_DS: Tensor) -> Tensor:
    """Return, of the shifts of each turn, the largest of those with the sign that most have, (S,); 0 without one."""
    is_known_DS = shifts_DS.isfinite()
    signs_DS = shifts_DS.nan_to_num(0.0).sign()
    majority_S = signs_DS.sum(0).sign()
    agreeing_DS = (signs_DS * majority_S > 0) * shifts_DS.nan_to_num(0.0).abs()
    return torch.where(is_known_DS.any(0), majority_S * agreeing_DS.amax(0), torch.nan)


def _results(attempt: Trajectory) -> list[str]:
    """Return what was observed after each turn, as far as anything is known to have been."""
    later: list[Observation] = [*attempt.prompts[1:]]
    if attempt.next_observation is not None:
        later.append(attempt.next_observation)
    return [_news(each, step.action.text or "") for each, step in zip(later, attempt.steps, strict=False)]


def _news(observation: Observation, said: str) -> str:
    """Return what a prompt holds behind what the policy said last, as text; all of it where that is not in it."""
    if isinstance(observation, str):
        return (observation.rpartition(f"{said}\n")[2] if said else observation).strip()
    spoken = [place for place, each in enumerate(observation) if each["role"] == "assistant"]
    new = observation[spoken[-1] + 1 :] if spoken else [each for each in observation if each["role"] != "system"]
    return "\n".join(each["content"] for each in new).strip()
