"""Values of unfinished answers, by a policy that always goes on in the same way."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from unit.hindsight.fakes import (
    FAILURE,
    SUCCESS,
    FakeScorer,
    attempt,
    change_groups,
    episode,
    give_credit,
    group_of,
    make_rows,
)

from backsight.errors import ConfigError
from backsight.hindsight.advantage.options import VineOptions
from backsight.types import Action, Feedback, Observation, PartialCompletion, Trajectory


class Continuing(FakeScorer):
    """Goes on with one token. Every other answer from the bare prompt is right, and all that begin with 1, 2."""

    def sample(self, prompts: Sequence[Observation]) -> list[Action]:
        self.prompts = prompts
        begun = [each.tokens if isinstance(each, PartialCompletion) else () for each in prompts]
        ends = [9 if tokens else number % 2 for number, tokens in enumerate(begun)]
        whole = [str((*tokens, end)) for tokens, end in zip(begun, ends, strict=True)]
        return [Action((end,), torch.zeros(1), text, end == 9) for end, text in zip(ends, whole, strict=True)]

    def judge(self, trajectories: Sequence[Trajectory]) -> list[Trajectory]:
        self.judged = trajectories
        tokens = [each.steps[0].action.value for each in trajectories]
        return [
            each.with_feedback(Feedback(reward=float(own in [(1,), (1, 2, 9)])))
            for each, own in zip(trajectories, tokens, strict=True)
        ]


def test_the_advantage_is_the_difference_of_the_values_before_and_after() -> None:
    scorer = Continuing()
    group = group_of(attempt((1, 2, 3), FAILURE), attempt((1, 2, 4, 5), SUCCESS), attempt((6, 7, 8), FAILURE))
    # V(prompt) = 1/2, V(1, 2) = 1, V(6, 7) = 0
    result = give_credit(VineOptions(num_samples=2, segment_length=2), group, scorer)
    assert result == [[0.5, 0.5, -1.0], [0.5, 0.5, 0.0, 0.0], [-0.5, -0.5, 0.0]]
    # siblings share prefixes: three of them, twice each
    begun = [PartialCompletion("asked", tokens) for tokens in ((1, 2), (1, 2), (6, 7), (6, 7))]
    assert scorer.prompts == ["asked", "asked", *begun]
    judged = scorer.judged[2].steps[0]
    assert (judged.observation, judged.action.value, judged.action.text) == ("asked", (1, 2, 9), "(1, 2, 9)")
    assert len(judged.action.log_probs) == 3 and judged.truncated and not judged.terminated
    assert scorer.judged[0].steps[0].terminated and scorer.judged[0].start == "start"


def test_a_completion_that_was_begun_already_goes_on_behind_its_tokens() -> None:
    scorer = Continuing()
    begun = attempt((2, 3), FAILURE, prompt=PartialCompletion("asked", (1,)))
    change_groups(VineOptions(num_samples=1, segment_length=1), group_of(begun), scorer=scorer)
    assert scorer.prompts == [PartialCompletion("asked", (1,)), PartialCompletion("asked", (1, 2))]


@pytest.mark.parametrize(
    "unreadable",
    [episode("ab", [0, 0]), episode([np.zeros(2, np.float32)], [0.0])],
    ids=["several steps", "numbers"],
)
def test_what_is_no_completion_is_refused_with_a_remedy(unreadable: Trajectory) -> None:
    with pytest.raises(ConfigError, match="hindsight: [a-z]+: .* use "):
        make_rows(VineOptions(), group_of(unreadable))
