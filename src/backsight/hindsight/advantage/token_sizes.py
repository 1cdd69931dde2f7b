"""What methods share that change how much each decision counts, and never in which direction: `cscr`, `cort` and
`turnsight`.

T decisions of an attempt, K sorts of words that are put into its prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from backsight.errors import ConfigError
from backsight.hindsight.base import Scorer
from backsight.hindsight.hints import Hints, are_words
from backsight.types import AttemptKey, Group, Trajectory

Factors = Mapping[AttemptKey | None, Tensor]
"""Factor of the advantage at each decision, (T,), by the key of the attempt; none of them is negative."""


def mean_one(factors_T: Tensor) -> Tensor:
    """Return the factors divided by their mean, (T,), so that the attempt as a whole counts as much as before."""
    return factors_T / factors_T.mean()


def multiply(groups: Sequence[Group], factors: Factors) -> list[Group]:
    """Return the groups with the advantages of each attempt times its factors; those without factors stay."""
    return [
        replace(
            group,
            advantages=tuple(
                advantages_T * factors[each.key] if each.key in factors else advantages_T
                for each, advantages_T in zip(group.trajectories, group.advantages, strict=True)
            ),
        )
        for group in groups
    ]


def shifts_by_words(
    groups: Sequence[Group],
    scorer: Scorer,
    hints: Hints,
    words_of: Callable[[Trajectory, Group], Sequence[str]],
) -> dict[AttemptKey, list[Tensor]]:
    """Return log π(a | s with the words) - log π_old(a | s), K of (T,), by the key of each attempt that has an opinion
    to weigh.

    `words_of` gives the K words that the prompts of an attempt are to hold, one after the other. An attempt is left out
    when its advantages are 0, when there are no words for it, or when they do not fit into the context. π is the policy
    itself and π_old is what it sampled with; both are whole distributions, whatever the sampler rules out.
    """
    asked = {}
    for group in groups:
        for attempt, advantages_T in zip(group.trajectories, group.advantages, strict=True):
            told = [
                tuple(hints.with_text(prompt, words) for prompt in attempt.prompts)
                for words in (words_of(attempt, group) if advantages_T.any() else ())
            ]
            if attempt.key is not None and told and all(map(scorer.fits, told)):
                asked[attempt.key] = attempt, told
    if not asked:
        return {}
    exchanges = [(prompts, attempt.responses) for attempt, told in asked.values() for prompts in told]
    answers = iter(scorer.log_probs(exchanges, whole=True))
    sampled = scorer.whole_log_probs([attempt for attempt, _ in asked.values()])
    return {
        key: [next(answers) - own_T for _ in told]
        for (key, (_, told)), own_T in zip(asked.items(), sampled, strict=True)
    }


def check_words(groups: Sequence[Group], method: str, remedy: str) -> None:
    """Check that every prompt is text or chat messages.

    Raises:
        ConfigError: when one is not.
    """
    if not all(are_words(each.prompts) for group in groups for each in group.trajectories):
        raise ConfigError("hindsight", method, f"needs observations in text or chat messages; {remedy}")
