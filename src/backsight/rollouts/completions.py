"""From the tokens that an engine drew to an action: the same for every engine of a language model."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from backsight.policies.text import LanguageModelPolicy, begun_tokens
from backsight.policies.thinking import thought_end
from backsight.types import Action, Observation, Sampling


def action_of(
    policy: LanguageModelPolicy,
    observation: Observation,
    tokens: Sequence[int],
    log_probs_C: Tensor,
    sampling: Sampling,
) -> Action:
    """Return the action that these tokens are, with the log-probabilities they were drawn with, (C,).

    Tokens beyond the longest completion are left out; those that stand in the prompt already count towards it.
    """
    begun = begun_tokens(observation)
    tokens = tuple(tokens[: max(1, sampling.max_completion_length - len(begun))])
    whole = [*begun, *tokens]
    has_ended = tokens[-1] in policy.end_tokens or has_stopped(policy, whole, sampling.stop_strings)
    text = policy.decode(whole)
    return Action(
        tokens,
        log_probs_C[: len(tokens)],
        text,
        is_truncated=not has_ended,
        thought_end=thought_end(text, has_begun=policy.begins_in_thought(observation)),
    )


def has_stopped(policy: LanguageModelPolicy, tokens: Sequence[int], stop_strings: Sequence[str]) -> bool:
    """Return whether the text of the tokens holds a stop string."""
    if not stop_strings:
        return False
    text = policy.decode(tokens)
    return any(string in text for string in stop_strings)
