"""Episodes `pocket_dialogue`: find out in few turns what a simulated customer wants, and offer it.

The class has Gymnasium's text API. A task of it is made with

    EpisodesTask(UserSimulator, name="pocket_dialogue", seeds=SEEDS, max_turns=MAX_TURNS)
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from backsight.errors import DataError
from backsight.pocket import world
from backsight.pocket.splits import is_held_out
from backsight.pocket.world.errands import SLOTS, Errand, Utterance, affirmed, draw, in_words, understood

HELD_OUT_FROM, LONGER_FROM = 2_000_000, 3_000_000
"""Seeds from the first on have domains that are never trained, from the second on four slots."""
SEEDS = {
    "train": range(1_000_000),
    "in_domain": range(1_000_000, 1_000_500),
    "domains": range(HELD_OUT_FROM, HELD_OUT_FROM + 500),
    "longer": range(LONGER_FROM, LONGER_FROM + 500),
}
MAX_TURNS = 4
MAX_CHARACTERS = 500
"""Of an utterance no more than this is listened to."""
WEIGHTS = {"goal": 0.625, "turns": 0.125, "politeness": 0.125, "no_contradiction": 0.125}
"""What the named rewards count for in the reward, which is paid at the end of the episode."""


def observed(words: str) -> str:
    """What the policy sees of the customer's words, with the cue to answer."""
    return f"user: {words} assistant:"


def errand_of(seed: int) -> Errand:
    """What the customer of this episode wants."""
    rng = random.Random(f"errand {seed}")
    domains = world.HELD_OUT_DOMAINS if HELD_OUT_FROM <= seed < LONGER_FROM else world.DOMAINS
    return draw(rng, rng.choice(domains), 4 if seed >= LONGER_FROM else rng.choice((2, 3)))


class UserSimulator:
    """A customer with an errand of two or three slots, who answers questions, takes the right offer, and leaves after
    `MAX_TURNS`.

    Named rewards: ``goal`` (all that is wanted was offered), ``turns`` (1 for the fewest that a careful assistant
    needs, less for more, 0 without the goal), ``politeness`` (the share of turns with a greeting, please or thank
    you), ``no_contradiction`` (nothing was stated that the customer had refused or said otherwise).

    Relabelling: an offer of something else serves the customer who wanted that, who had told at once what nobody asked.
    """

    def reset(self, *, seed: int) -> tuple[str, dict[str, Any]]:
        return self.begin(errand_of(seed))

    def begin(self, errand: Errand) -> tuple[str, dict[str, Any]]:
        """Start an episode with this errand."""
        self.errand = errand
        self.heard: list[Utterance] = []
        self.refused = {("kind", errand.refused)} if errand.refused else set()
        self.known = {slot: errand.wants[slot] for slot in errand.told}
        self.is_contradicted = False
        return observed(errand.opening()), {"potential": self._potential()}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Raises `DataError` when the episode is over."""
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
        return observed(reply), reward, is_over, False, info

    def _take_in(self, said: Utterance) -> list[str]:
        """Remember what was said and what is answered to it; returns what there is to remark."""
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
        """How near the goal is: what it is worth, as far as what is wanted has been told."""
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

    def achieved(self, transitions: Sequence[tuple[str, str, str]]) -> list[str] | None:
        """What the customer would have said, had they wanted what was offered last.

        None without such an offer, and where the offer had come before or contradicts what that customer says.
        """
        said = [text for _, text, _ in transitions]
        errand = self.served_by(said)
        if errand is None:
            return None
        simulator = UserSimulator()
        observations = [simulator.begin(errand)[0]]
        for text in said[:-1]:
            observation, _, is_over, _, _ = simulator.step(text)
            if is_over:
                return None
            observations.append(observation)
        simulator.step(said[-1])
        return None if simulator.is_contradicted else observations

    def served_by(self, said: Sequence[str]) -> Errand | None:
        """The errand that the last of these turns would have served: one thing, and one value of each other slot.

        What was not asked before is told at once: an assistant is not to learn to guess.
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
    """What a careful assistant says after these observations: a question for what is missing, or the offer."""
    opening = observations[0].partition(";")[2]
    known: dict[str, str] = {}
    for observation in observations:
        known |= affirmed(observation)
    missing = [slot for slot in SLOTS if slot in world.words(opening) and slot not in known]
    if missing:
        return f" Hello, which {missing[0]}, please?" if len(observations) == 1 else f" Which {missing[0]}, please?"
    return f" Thank you, {in_words(known)}."


def expert_turns(errand: Errand, clumsy: str = "") -> list[tuple[str, str]]:
    """The expert's turns with this customer, each with the prompt it answers; after a `clumsy` turn, if any.

    There are none when the clumsy turn served the errand by chance.
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
