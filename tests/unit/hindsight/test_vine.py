"""Values of unfinished answers, by a policy that always goes on in the same way."""

from collections.abc import Sequence

import torch
from unit.hindsight.fakes import FakeScorer, attempt, group_of

from backsight.hindsight.vine import Vine
from backsight.types import Action, Begun, Feedback, Group, Observation, Trajectory

SUCCESS, FAILURE = Feedback(reward=1.0, success=True), Feedback(reward=0.0, success=False)


class Continuing(FakeScorer):
    """Goes on with one token. Every other answer from the bare prompt is right, and all that begin with 1, 2."""

    def sample(self, prompts: Sequence[Observation]) -> list[Action]:
        self.prompts = prompts
        begun = [each.tokens if isinstance(each, Begun) else () for each in prompts]
        ends = [9 if tokens else number % 2 for number, tokens in enumerate(begun)]
        whole = [str((*tokens, end)) for tokens, end in zip(begun, ends, strict=True)]
        return [Action((end,), torch.zeros(1), text, end == 9) for end, text in zip(ends, whole, strict=True)]

    def judge(self, trajectories: Sequence[Trajectory]) -> list[Trajectory]:
        self.judged = trajectories
        tokens = [each.steps[0].action.value for each in trajectories]
        return [
            each.revealed(Feedback(reward=float(own in [(1,), (1, 2, 9)])))
            for each, own in zip(trajectories, tokens, strict=True)
        ]


def advantages(method: Vine, group: Group, scorer: Continuing) -> list[list[float]]:
    (revalued,) = method.revalue([group], scorer)
    return [each.tolist() for each in revalued.advantages]


def test_vine_takes_the_difference_of_the_values_before_and_after() -> None:
    scorer = Continuing()
    group = group_of(attempt((1, 2, 3), FAILURE), attempt((1, 2, 4, 5), SUCCESS), attempt((6, 7, 8), FAILURE))
    # V(prompt) = 1/2, V(1, 2) = 1, V(6, 7) = 0
    result = advantages(Vine(num_samples=2, segment_length=2), group, scorer)
    assert result == [[0.5, 0.5, -1.0], [0.5, 0.5, 0.0, 0.0], [-0.5, -0.5, 0.0]]
    # siblings share prefixes: three of them, twice each
    assert scorer.prompts == ["asked"] * 2 + [Begun("asked", (1, 2))] * 2 + [Begun("asked", (6, 7))] * 2
    judged = scorer.judged[2].steps[0]
    assert (judged.observation, judged.action.value, judged.action.text) == ("asked", (1, 2, 9), "(1, 2, 9)")
    assert len(judged.action.log_probs) == 3 and judged.truncated and not judged.terminated
    assert scorer.judged[0].steps[0].terminated and scorer.judged[0].start == "start"


def test_vine_goes_on_behind_a_completion_that_was_begun_already() -> None:
    scorer = Continuing()
    advantages(Vine(1, 1), group_of(attempt((2, 3), FAILURE, prompt=Begun("asked", (1,)))), scorer)
    assert scorer.prompts == [Begun("asked", (1,)), Begun("asked", (1, 2))]
