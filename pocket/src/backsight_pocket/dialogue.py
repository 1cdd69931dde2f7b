"""The episodes `pocket_dialogue`: find out in few turns what a simulated customer wants, and offer it.

The class `UserSimulator` has Gymnasium's text API. Make a task of it with

    EpisodesTask(UserSimulator, name="pocket_dialogue", seeds=SEEDS, max_turns=MAX_TURNS)
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from backsight.errors import DataError
from backsight.types import Observation
from backsight_pocket import world
from backsight_pocket.splits import is_held_out
from backsight_pocket.world.errands import SLOTS, Errand, Utterance, draw, in_words, read_affirmed, understood

HELD_OUT_FROM, LONGER_FROM = 2_000_000, 3_000_000
"""First seeds of episodes in domains that are never trained, and of episodes with four slots."""
SEEDS = {
    "train": range(1_000_000),
    "in_domain": range(1_000_000, 1_000_500),
    "domains": range(HELD_OUT_FROM, HELD_OUT_FROM + 500),
    "longer": range(LONGER_FROM, LONGER_FROM + 500),
}
MAX_TURNS = 4
MAX_CHARACTERS = 500
"""Most characters of an utterance that are read."""
WEIGHTS = {"goal": 0.625, "turns": 0.125, "politeness": 0.125, "no_contradiction": 0.125}
"""Weights of the named rewards in the reward, which is paid at the end of the episode."""


def observed(words: str) -> str:
    """Return the customer's words as the policy sees them, with the cue to answer."""
    return f"user: {words} assistant:"


def errand_of(seed: int) -> Errand:
    """Return what the customer of this episode wants."""
    rng = random.Random(f"errand {seed}")
    domains = world.HELD_OUT_DOMAINS if HELD_OUT_FROM <= seed < LONGER_FROM else world.DOMAINS
    return draw(rng, rng.choice(domains), 4 if seed >= LONGER_FROM else rng.choice((2, 3)))


class UserSimulator:
    """A customer with an errand of two to four slots, who answers questions, takes the right offer, and leaves after
    `MAX_TURNS` turns.

    Named rewards: ``goal`` (all that is wanted was offered), ``turns`` (1 for the fewest that a careful assistant
    needs, less for more, 0 without the goal), ``politeness`` (the share of turns with a greeting, please or thank
    you), ``no_contradiction`` (nothing was stated that contradicts what the customer had refused or said).

    Relabelling: an offer of something else would have served a customer who wanted that, and who told at once what was
    not asked.
    """

    def reset(self, *, seed: int) -> tuple[Observation, dict[str, Any]]:
        return self.begin(errand_of(seed))

    def show(self, words: str) -> Observation:
        """Return the customer's words as the policy sees them."""
        return observed(words)

    def begin(self, errand: Errand) -> tuple[Observation, dict[str, Any]]:
        """Start an episode with this errand, and return the first observation and info."""
        self.errand = errand
        self.heard: list[Utterance] = []
        self.refused = {("kind", errand.refused)} if errand.refused else set()
        self.known = {slot: errand.wants[slot] for slot in errand.told}
        self.is_contradicted = False
        return self.show(errand.opening()), {"potential": self._potential()}

    def step(self, action: str) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Let the customer answer the assistant's words, with Gymnasium's five results.

        Raises:
            DataError: when the episode is over.
        """
        if len(self.heard) == MAX_TURNS or (self.heard and self.errand.is_served(self.heard[-1])):
            raise DataError("action", action, "the episode is over; reset the simulator first")
        said = understood(action[:MAX_CHARACTERS])
        comments = self._take_in(said)
        is_served = self.errand.is_served(said)
        is_over = is_served or len(self.heard) == MAX_TURNS
        reply = "I have to go." if is_over and not is_served else self.errand.reply(said)
        rewards = self._rewards(is_served)
        info: dict[str, Any] = {
            "rewards": rewards,
            "success": is_served,
            "feedback": " ".join(comments),
            "potential": self._potential(),
        }
        if is_over:
            info["outcome"] = f"The user wanted {in_words(self.errand.wants)}."
        reward = sum(WEIGHTS[name] * value for name, value in rewards.items()) if is_over else 0.0
        return self.show(reply), reward, is_over, False, info

    def _take_in(self, said: Utterance) -> list[str]:
        """Remember what was said and what will be answered, and return comments on it."""
        stated = {(slot, value) for slot, values in said.stated.items() for value in values}
        contradicted = {(slot, value) for slot, value in stated if self.known.get(slot, value) != value}
        contradicted |= stated & self.refused
        comments = [f"The user had not wanted {value}." for _, value in sorted(contradicted)]
        if not said.is_polite:
            comments.append("That was not polite.")
        if not said.asked and not said.stated:
            comments.append("Nothing was asked and nothing offered.")
        self.heard.append(said)
        self.is_contradicted |= bool(contradicted)
        if said.asked in self.errand.wants:
            self.known[said.asked] = self.errand.wants[said.asked]
        elif not said.asked:
            self.refused |= set(self.errand.wrong(said)[:1])  # the customer names one at a time
        return comments

    def _potential(self) -> float:
        """Return how near the goal is: its weight times the share of what is wanted that has been told."""
        wants = self.errand.wants
        return WEIGHTS["goal"] * sum(slot in self.known for slot in wants) / len(wants)

    def _rewards(self, is_served: bool) -> dict[str, float]:
        turns = len(self.heard)
        return {
            "goal": float(is_served),
            "turns": min(1.0, self.errand.num_turns / turns) if is_served else 0.0,
            "politeness": sum(said.is_polite for said in self.heard) / turns,
            "no_contradiction": float(not self.is_contradicted),
        }

    def achieved(self, transitions: Sequence[tuple[Observation, str, Observation]]) -> list[Observation] | None:
        """Return what the customer would have said if the last offer had been what they wanted.

        Return None if the last turn was no clear offer, if the offer had come before, or if it contradicts them.
        """
        said = [text for _, text, _ in transitions]
        errand = self.served_by(said)
        if errand is None:
            return None
        simulator = type(self)()
        observations = [simulator.begin(errand)[0]]
        for text in said[:-1]:
            observation, _, is_over, _, _ = simulator.step(text)
            if is_over:
                return None
            observations.append(observation)
        simulator.step(said[-1])
        return None if simulator.is_contradicted else observations

    def served_by(self, said: Sequence[str]) -> Errand | None:
        """Return the errand that the last of these turns would have served: a thing, and one value of each other slot.

        Its customer tells at once what was not asked, so that the assistant does not learn to guess. Return None if the
        turn is no clear offer.
        """
        last = understood(said[-1][:MAX_CHARACTERS])
        is_clear = "thing" in last.stated and all(len(values) == 1 for values in last.stated.values())
        if last.asked or not is_clear or is_held_out(said[-1]):
            return None
        wants = {slot: last.stated[slot][0] for slot in SLOTS if slot in last.stated}
        asked = {understood(text[:MAX_CHARACTERS]).asked for text in said[:-1]}
        told = tuple(slot for slot in wants if slot not in asked)
        is_choosy = "kind" in wants and "kind" not in told and wants["kind"] != self.errand.refused
        return replace(self.errand, wants=wants, told=told, refused=self.errand.refused if is_choosy else "")


def expert(observations: Sequence[str]) -> str:
    """Return what a careful assistant says after these observations: a question for a missing slot, or the offer."""
    opening = observations[0].partition(";")[2]
    known: dict[str, str] = {}
    for observation in observations:
        known |= read_affirmed(observation)
    missing = [slot for slot in SLOTS if slot in world.words(opening) and slot not in known]
    if missing:
        return f" Hello, which {missing[0]}, please?" if len(observations) == 1 else f" Which {missing[0]}, please?"
    return f" Thank you, {in_words(known)}."


def expert_turns(errand: Errand, clumsy: str = "") -> list[tuple[str, str]]:
    """Return the expert's turns with this customer, each with the prompt it answers; after a `clumsy` turn, if any.

    The list is empty when the clumsy turn served the errand by chance.
    """
    simulator = UserSimulator()
    observations = [simulator.begin(errand)[0]]
    turns: list[tuple[str, str]] = []
    prompt, is_over = observations[0], False
    while not is_over:
        text = clumsy if clumsy and not turns else expert(observations)
        turns.append((prompt, text))
        observation, _, is_over, _, _ = simulator.step(text)
        observations.append(observation)
        prompt += f"{text}\n{observation}"
    return turns[1:] if clumsy else turns
