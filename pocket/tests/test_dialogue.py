"""The simulated customer: transcripts by hand, named rewards, and what a wrong offer is right for."""

import random

import pytest
import torch

from backsight.environments.episodes import EpisodesTask
from backsight.errors import DataError
from backsight.types import Action
from backsight_pocket.dialogue import (
    MAX_TURNS,
    SEEDS,
    WEIGHTS,
    UserSimulator,
    errand_of,
    expert,
    expert_turns,
    observed,
)
from backsight_pocket.splits import is_held_out
from backsight_pocket.world.errands import Errand, in_words, read_affirmed, understood

ROPE = Errand({"thing": "rope", "kind": "salty", "place": "pier"}, told=("thing",), refused="tarry")
OAR = Errand({"thing": "oar", "time": "noon"})


def played(errand: Errand, *said: str) -> tuple[list[str], list[float], dict[str, object]]:
    """The customer's replies, the rewards, and what the last turn reveals."""
    simulator = UserSimulator()
    simulator.begin(errand)
    results = [simulator.step(text) for text in said]
    assert [is_over for _, _, is_over, _, _ in results[:-1]] == [False] * (len(said) - 1)
    replies = [observation.removeprefix("user: ").removesuffix(" assistant:") for observation, *_ in results]
    return replies, [reward for _, reward, *_ in results], results[-1][-1]


def test_openings_by_hand() -> None:
    assert UserSimulator().begin(ROPE)[0] == ("user: I want a rope, not a tarry one; kind and place matter. assistant:")
    assert UserSimulator().begin(OAR)[0] == "user: I want something; thing and time matter. assistant:"


def test_a_careful_assistant_serves_in_the_fewest_turns() -> None:
    replies, rewards, info = played(
        ROPE, " Hello, which kind, please?", " Which place, please?", " Thank you, a salty rope on the pier."
    )
    assert replies == ["A salty one.", "On the pier.", "Thank you!"]
    assert rewards == [0.0, 0.0, 1.0]
    assert info == {
        "rewards": {"goal": 1.0, "turns": 1.0, "politeness": 1.0, "no_contradiction": 1.0},
        "success": True,
        "feedback": "",
        "outcome": "The user wanted a salty rope on the pier.",
        "potential": WEIGHTS["goal"],
    }


def test_who_has_been_told_more_is_nearer_to_the_goal() -> None:
    simulator = UserSimulator()
    potentials = [simulator.begin(ROPE)[1]["potential"]]
    potentials += [simulator.step(said)[-1]["potential"] for said in (" Which kind, please?", " Nice.", " Where?")]
    assert potentials == pytest.approx([WEIGHTS["goal"] * share for share in (1 / 3, 2 / 3, 2 / 3, 1)])


def test_a_contradiction_costs() -> None:
    replies, rewards, info = played(
        ROPE, " Hello, a tarry rope on the pier.", " Which kind, please?", " A salty rope on the pier, thanks."
    )
    assert replies == ["No, not a tarry one.", "A salty one.", "Thank you!"]
    assert info["rewards"] == {"goal": 1.0, "turns": 1.0, "politeness": 1.0, "no_contradiction": 0.0}
    assert rewards == [0.0, 0.0, 0.875]


def test_saying_other_than_was_answered_is_a_contradiction() -> None:
    _, _, info = played(OAR, " Which thing, please?", " Which time, please?", " An anchor at noon, please.")
    assert info["rewards"] == {"goal": 0.0, "turns": 0.0, "politeness": 1.0, "no_contradiction": 0.0}
    assert info["feedback"] == "The user had not wanted anchor."


def test_a_guess_that_is_refused_once_is_none() -> None:
    replies, _, info = played(OAR, " Please, an oar at dawn.", " Please, an oar at dawn.")
    assert replies == ["No, not at dawn.", "No, not at dawn."]
    assert info["rewards"]["no_contradiction"] == 0.0  # the second time it is
    _, _, info = played(OAR, " Please, an oar at dawn.", " Please, an oar at noon.")
    assert info["rewards"] == {"goal": 1.0, "turns": 1.0, "politeness": 1.0, "no_contradiction": 1.0}


def test_an_impolite_assistant_is_told_so() -> None:
    replies, rewards, info = played(OAR, "which thing?", "which time?", "the oar, noon")
    assert replies == ["An oar.", "At noon.", "Thank you!"]
    assert info["rewards"] == {"goal": 1.0, "turns": 1.0, "politeness": 0.0, "no_contradiction": 1.0}
    assert (rewards[-1], info["feedback"]) == (0.875, "That was not polite.")


def test_a_slow_assistant_gets_less() -> None:
    replies, _, info = played(
        OAR, " Which place, please?", " Please, an oar.", " Which time, please?", " Thanks, an oar at noon."
    )
    assert replies == ["I do not mind.", "Yes, and the time?", "At noon.", "Thank you!"]
    assert info["rewards"]["turns"] == 0.75


@pytest.mark.parametrize("text", ["", "🙂", " sailor " * 5000, "not", "[EOS]"])
def test_nonsense_is_not_understood(text: str) -> None:
    replies, rewards, info = played(OAR, *[text] * MAX_TURNS)
    assert replies == ["I do not understand."] * 3 + ["I have to go."]
    assert info["feedback"] == "That was not polite. Nothing was asked and nothing offered."
    assert info["rewards"] == {"goal": 0.0, "turns": 0.0, "politeness": 0.0, "no_contradiction": 1.0}
    assert (rewards[-1], info["outcome"]) == (0.125, "The user wanted an oar at noon.")


def test_naming_everything_is_no_offer() -> None:
    replies, _, _ = played(OAR, " An oar, an anchor or a rope, please, at noon.")
    assert replies == ["No, not an anchor."]


def test_nobody_speaks_after_the_end() -> None:
    simulator = UserSimulator()
    simulator.begin(OAR)
    simulator.step(" An oar at noon.")
    with pytest.raises(DataError, match="the episode is over"):
        simulator.step(" Hello.")


def test_what_is_understood() -> None:
    assert understood("Which kind of rope, please?").asked == "kind"
    assert understood("When?").asked == "time" and understood("Where?").asked == "place"
    offer = understood("The salty ropes, on Monday.")
    assert offer.stated == {"kind": ("salty",), "thing": ("rope",), "time": ("monday",)} and not offer.is_polite
    assert read_affirmed("I want a rope, not a tarry one; kind and place matter.") == {"thing": "rope"}
    assert read_affirmed("No, not on the pier.") == {}


@pytest.mark.parametrize("split", list(SEEDS))
def test_the_expert_gets_full_marks(split: str) -> None:
    for seed in SEEDS[split][:200]:
        simulator = UserSimulator()
        observations = [simulator.reset(seed=seed)[0]]
        is_over, reward = False, 0.0
        while not is_over:
            text = expert(observations)
            observation, reward, is_over, _, _ = simulator.step(text)
            observations.append(observation)
            assert len(f"{observation}{text}".split()) <= 24
        assert reward == 1.0


def test_splits_are_what_they_say() -> None:
    for split, sizes in (("train", {2, 3}), ("in_domain", {2, 3}), ("domains", {2, 3}), ("longer", {4})):
        errands = [errand_of(seed) for seed in SEEDS[split][:200]]
        assert {len(errand.wants) for errand in errands} == sizes
        assert all(is_held_out(in_words(errand.wants)) is (split == "domains") for errand in errands)
        assert errands == [errand_of(seed) for seed in SEEDS[split][:200]]


def transitions_of(errand: Errand, *said: str) -> tuple[UserSimulator, list[tuple[str, str, str]]]:
    simulator = UserSimulator()
    observations = [simulator.begin(errand)[0]]
    observations += [simulator.step(text)[0] for text in said]
    return simulator, list(zip(observations[:-1], said, observations[1:], strict=True))


def test_a_wrong_offer_is_right_for_another_customer() -> None:
    said = (" Hello, which kind, please?", " Thank you, a new net at dawn.")
    simulator, transitions = transitions_of(ROPE, *said)
    # Nobody asked for the thing and the time, so that customer tells them; the kind is asked for and answered.
    assert simulator.achieved(transitions) == [
        observed("I want a net at dawn, not a tarry one; kind matters."),
        observed("A new one."),
    ]


@pytest.mark.parametrize(
    "said",
    [
        (" Hello.",),
        (" Which thing, please?",),
        (" On the pier, please.",),  # no thing
        (" A rope or an oar, please.",),
        (" A novel, please.",),  # of a domain kept aside
        (" An anchor, please.", " An anchor, please."),  # served before
        (" A net, please.", " An anchor, please."),  # that customer had told
    ],
)
def test_nothing_is_achieved_without_a_clear_offer(said: tuple[str, ...]) -> None:
    simulator, transitions = transitions_of(ROPE, *said)
    assert simulator.achieved(transitions) is None


def test_the_relabelled_customer_is_served() -> None:
    rng = random.Random(0)
    relabelled = 0
    for seed in range(400):
        wrong = in_words(errand_of(seed + 5_000).wants)
        asked = rng.sample(["thing", "kind", "place", "time"], 3)
        said = [f" Which {slot}, please?" for slot in asked][: rng.choice((0, 1, 2, 3))] + [f" Thank you, {wrong}."]
        simulator, transitions = transitions_of(errand_of(seed), *said)
        achieved = simulator.achieved(transitions)
        if achieved is None:
            continue
        relabelled += 1
        served = simulator.served_by(said)
        assert served is not None and not served.is_served(understood(" Hello."))
        again, replayed = transitions_of(served, *said)
        assert [observation for observation, _, _ in replayed] == achieved
        assert again.errand.is_served(understood(said[-1])) and not again.is_contradicted
        assert expert(achieved) == said[-1]
    assert relabelled > 300


def test_a_clumsy_turn_is_made_good() -> None:
    turns = expert_turns(ROPE, clumsy=" Hello, an oar.")
    assert [text for _, text in turns] == [
        " Which kind, please?",
        " Which place, please?",
        " Thank you, a salty rope on the pier.",
    ]
    assert turns[0][0] == (
        "user: I want a rope, not a tarry one; kind and place matter. assistant: Hello, an oar.\n"
        "user: No, not an oar. assistant:"
    )
    assert expert_turns(OAR, clumsy=" An oar at noon.") == []


def test_it_is_an_environment_of_episodes() -> None:
    task = EpisodesTask(UserSimulator, name="pocket_dialogue", seeds=SEEDS, max_turns=MAX_TURNS)
    assert task.eval_splits == ("in_domain", "domains", "longer")
    item = task.items("train")[3]
    episode = task.episode(item)
    assert episode.reset() == item.prompt == observed(errand_of(3).opening())
    for text in (" Hello.", " Which thing, please?", " Hello.", " Thank you, an oar."):
        result = episode.step(Action((1,), torch.zeros(1), text))
    feedback = result.feedback
    assert (result.terminated, result.reward, feedback.success) == (True, 0.125, False)  # polite, but contradicted
    assert feedback.rewards.keys() == {"goal", "turns", "politeness", "no_contradiction", "success"}
    assert feedback.achieved_prompts is not None and feedback.achieved_prompts[-1].startswith(
        "user: I want something; thing"
    )
    assert feedback.outcome == f"The user wanted {in_words(errand_of(3).wants)}."
