import pytest
import torch
from tests.tiny_models import tiny_policy

from backsight.rollouts.completions import action_of, has_stopped
from backsight.types import PartialCompletion, Sampling


def test_an_action_ends_by_the_end_token_or_a_stop_string_or_the_limit() -> None:
    policy = tiny_policy()
    tokens = list(policy.encode("abcd"))
    log_probs = -torch.arange(1.0, 6.0)
    whole = action_of(policy, "p", tokens, log_probs, Sampling(max_completion_length=5))
    assert (whole.value, whole.text, whole.is_truncated) == (tuple(tokens), "abcd", False)
    cut = action_of(policy, "p", tokens, log_probs, Sampling(max_completion_length=3))
    assert (cut.value, cut.text, cut.is_truncated) == (tuple(tokens[:3]), "abc", True)
    assert cut.log_probs.tolist() == [-1, -2, -3]
    stopped = action_of(policy, "p", tokens[:3], log_probs, Sampling(max_completion_length=3, stop_strings=("bc",)))
    assert not stopped.is_truncated


def test_what_was_begun_is_part_of_the_text_and_of_the_length() -> None:
    policy = tiny_policy()
    begun = PartialCompletion("p", policy.encode("ab")[:-1])
    tokens = policy.encode("cd")[:-1]
    action = action_of(policy, begun, tokens, torch.zeros(2), Sampling(max_completion_length=3, stop_strings=("bc",)))
    assert (action.value, action.text, action.is_truncated) == (tokens[:1], "abc", False)


@pytest.mark.parametrize(("stop", "expected"), [((), False), (("cd",), True), (("x", "a"), True), (("x",), False)])
def test_a_text_has_stopped_where_it_holds_one_of_the_strings(stop: tuple[str, ...], expected: bool) -> None:
    policy = tiny_policy()
    assert has_stopped(policy, policy.encode("abcd"), stop) is expected
