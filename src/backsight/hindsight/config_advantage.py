"""Options of the methods that change the advantage of a decision."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from backsight.settings import Settings

Discount = Annotated[float, Field(gt=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class HCAConfig(Settings):
    """An action gets credit where a return, or a later state, is likelier to have come of it than of others (HCA)."""

    name: Literal["hca"] = "hca"
    revealed: Literal["return", "state"] = "return"
    """What the hindsight model is told: the return from here, or the states in which the rewards came."""
    discount: Discount = 1.0
    """γ of a later reward."""
    hidden_size: Count = 256
    """Units of the hindsight model's hidden layer."""
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3
    """Of the hindsight model, falling to zero within each step."""
    num_updates: Count = 50
    """Of the hindsight model a training step, each on 128 decisions."""


class CocoaConfig(Settings):
    """An action gets credit for a later reward where it made that reward likelier (COCOA)."""

    name: Literal["cocoa"] = "cocoa"
    discount: Discount = 1.0
    """γ of a later reward."""
    hidden_size: Count = 256
    """Units of the hindsight model's hidden layer."""
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3
    """Of the hindsight model, falling to zero within each step."""
    num_updates: Count = 10
    """Of the hindsight model a training step, each on 128 decisions."""


class HCAPOConfig(Settings):
    """The policy scores its own steps again, knowing how the episode ended (HCAPO)."""

    name: Literal["hcapo"] = "hcapo"
    weight: Weight = 1.0
    """ω of the credit of a step, beside the advantage of the episode."""
    discount: Discount = 0.95
    """γ for each step before the last."""
    temperature: Annotated[float, Field(gt=0)] = 5.0
    """Flattens the hindsight probability of a step."""
    clip: Share = 0.2
    """The hindsight ratio stays within 1 ± clip."""
    smoothing: bool = False
    """Average the value of a step with the next one's."""
    template: str = "{hint}\n{prompt}"
    """Where the end of the episode is written into the prompt."""


class GraphHCAConfig(Settings):
    """Credit is the change of a state's value in the graph of all attempts of a group."""

    name: Literal["graph_hca"] = "graph_hca"
    discount: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """γ of the value of a state, for each step to the goal."""
    floor: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """The least value of a state, so that it has a logarithm."""
    episode_weight: Weight = 0.0
    """Of the estimator's advantage, beside the credit; above 0, states that occurred once teach something."""
    change: Literal["log", "value"] = "log"
    """Of a state's value: of its logarithm as in the source, or of itself, where an action may lead nowhere."""


class GiGPOConfig(Settings):
    """Steps of siblings that observed the same are compared with each other, as whole episodes are (GiGPO)."""

    name: Literal["gigpo"] = "gigpo"
    weight: Weight = 1.0
    """Of the step's advantage, beside the episode's."""
    discount: Discount = 0.95
    """γ of the return from a step."""
    scaled: bool = True
    """Divide by the standard deviation of those compared."""


class HGPOConfig(Settings):
    """Steps are compared with those of the same last observations, longer histories counting more (HGPO)."""

    name: Literal["hgpo"] = "hgpo"
    history: Annotated[int, Field(ge=0)] = 2
    """K: earlier observations that may have to agree, besides the present one."""
    length_power: Weight = 1.0
    """α: how much more a longer history counts."""
    discount: Discount = 0.95
    """γ of the return from a step."""
    scaled: bool = True
    """Divide by the standard deviation of those compared."""


class OPDConfig(Settings):
    """A teacher that knows what was revealed says of every token whether it is likelier now (OpenClaw-RL)."""

    name: Literal["opd"] = "opd"
    reward_weight: Weight = 1.0
    """Of the estimator's advantage."""
    teacher_weight: Weight = 1.0
    """Of the teacher's log-ratio."""
    clip: Annotated[float, Field(gt=0)] | None = 5.0
    """The log-ratio stays within ± clip; None: as it is."""
    template: str = "{hint}\n{prompt}"
    """Where the hint is written into the prompt."""
    introduce: bool = True
    """Say what kind of hint it is; without, it is the bare text."""


class RLSDConfig(Settings):
    """The reward says whether, a teacher that knows the answer says how much (RLSD)."""

    name: Literal["rlsd"] = "rlsd"
    share: Share = 0.5
    """λ: how much of the advantage the teacher may stretch, at the first step."""
    share_steps: Count = 50
    """Training steps until λ is 0, and the teacher is asked no more."""
    clip: Share = 0.2
    """The teacher's factor stays within 1 ± clip."""
    template: str = "{hint}\n{prompt}"
    """Where the hint is written into the prompt."""
    introduce: bool = True
    """Say what kind of hint it is; without, it is the bare text."""


class RLCSDConfig(Settings):
    """Tokens that a right answer makes likelier than wrong ones do count for more (RLCSD)."""

    name: Literal["rlcsd"] = "rlcsd"
    num_wrong: Count = 4
    """K: at most so many wrong siblings are shown, one at a time."""
    strength: Annotated[float, Field(ge=0, le=2)] = 0.5
    """β·λ: the most that is added to an advantage."""
    temperature: Annotated[float, Field(gt=0)] = 0.02
    """τ: the contrast at which most of it is added."""
    threshold: Weight = 0.02
    """δ: below it a token keeps its advantage."""
    template: str = "{hint}\n{prompt}"
    """Where the sibling's answer is written into the prompt."""


class VineConfig(Settings):
    """The value of an unfinished answer is the mean reward of finishing it afresh several times (VinePPO)."""

    name: Literal["vine"] = "vine"
    num_samples: Count = 9
    """K: how often each prefix is finished."""
    segment_length: Count = 8
    """Tokens that share an advantage; a value is estimated before each segment."""


class BestOfNConfig(Settings):
    """The best attempts of a group are imitated, the others thrown away (RAFT, ReST)."""

    name: Literal["best_of_n"] = "best_of_n"
    keep: Count = 1
    """Attempts of a group that are imitated, if so many are better than its worst, or successes."""
    threshold: float | None = None
    """The least reward of what is imitated; None: any."""


class PreferenceConfig(Settings):
    """The better of two attempts is preferred to the worse one, against the policy of the start (DPO)."""

    name: Literal["preference"] = "preference"
    beta: Annotated[float, Field(gt=0)] = 0.1
    """β: the higher it is, the less the policy has to move away from the start until a pair is learnt."""
    pairs: Count = 1
    """Of a group: its best attempt with its worst, the second best with the second worst …"""


AdvantageConfigs = (
    HCAConfig
    | CocoaConfig
    | HCAPOConfig
    | GraphHCAConfig
    | GiGPOConfig
    | HGPOConfig
    | OPDConfig
    | RLSDConfig
    | RLCSDConfig
    | VineConfig
    | BestOfNConfig
    | PreferenceConfig
)
