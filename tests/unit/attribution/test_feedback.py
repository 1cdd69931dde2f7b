"""What was said of an attempt speaks for or against its tokens, sentence by sentence."""

import pytest
import torch
from tiny_models import tiny_policy
from toy_tasks import WORDS

from backsight.attribution.feedback import MOST_SENTENCES, feedback_effect, split_sentences
from backsight.errors import DataError
from backsight.hindsight.hints import Hints
from backsight.types import Action, Example, Feedback, Sampling, Step, Trajectory

SAMPLING = Sampling(max_completion_length=4)


def attempt(**feedback: str) -> Trajectory:
    action = Action((5, 6), torch.zeros(2), "ab")
    return Trajectory(None, (Step("say", action),), Feedback(**feedback))


def test_the_effect_is_the_change_of_the_log_probability_when_the_feedback_is_told() -> None:
    policy = tiny_policy(words=WORDS)
    found = feedback_effect(policy, attempt(text="Say red. Not blue!"), SAMPLING)
    said = "What was said of an earlier answer: Say red. Not blue!"
    assert found.hint == said
    assert found.sentences == ("What was said of an earlier answer: Say red.", "Not blue!")

    def log_probs(hint: str | None) -> torch.Tensor:
        prompt = "say" if hint is None else Hints().with_text("say", hint)
        return policy.log_probs([Example((prompt,), ((5, 6),), "x")], SAMPLING).log_probs_N

    assert torch.allclose(found.whole_T, log_probs(said) - log_probs(None))
    assert torch.allclose(found.by_sentence[0], log_probs(said) - log_probs("Not blue!"))
    assert torch.allclose(found.by_sentence[1], log_probs(said) - log_probs(found.sentences[0]))
    assert found.whole_T.abs().min() > 0


def test_a_single_sentence_does_what_the_whole_does() -> None:
    found = feedback_effect(tiny_policy(words=WORDS), attempt(correction="red"), SAMPLING)
    assert len(found.sentences) == 1 and torch.equal(found.by_sentence[0], found.whole_T)


def test_other_words_can_be_tried() -> None:
    policy = tiny_policy(words=WORDS)
    assert feedback_effect(policy, attempt(text="no"), SAMPLING, said="yes").hint == "yes"


def test_an_attempt_of_which_nothing_was_said_is_refused_in_one_line() -> None:
    with pytest.raises(DataError, match="nothing was revealed .* --feedback"):
        feedback_effect(tiny_policy(words=WORDS), attempt(), SAMPLING)


def test_a_hint_that_leaves_no_room_is_refused() -> None:
    policy = tiny_policy("gpt2", words=WORDS)
    with pytest.raises(DataError):
        feedback_effect(policy, attempt(text="x" * 500), SAMPLING)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two? Three!", ["One.", "Two?", "Three!"]),
        ("3.14 is pi.\n\n- a\n- b", ["3.14 is pi.", "- a", "- b"]),
        ("很好。不对！", ["很好。", "不对！"]),
        ("  no end ", ["no end"]),
        ("", []),
    ],
)
def test_texts_are_cut_where_sentences_end(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


def test_very_many_sentences_are_left_out_together_at_the_end() -> None:
    found = split_sentences("a. " * 80)
    assert len(found) == MOST_SENTENCES and found[-1] == "a. " * 30 + "a."
