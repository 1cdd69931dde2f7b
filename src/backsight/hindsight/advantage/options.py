"""Options of the methods that change the advantage of a decision."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from backsight.hindsight.options import (
    ADVANTAGES,
    Count,
    InformedOptions,
    MethodOptions,
    Positive,
    Share,
    TaughtOptions,
    TemplateOptions,
    Weight,
)

Fraction = Annotated[float, Field(gt=0, lt=1)]


class HindsightModelOptions(MethodOptions):
    """Options of a method with a small model that learns what an action led to."""

    hidden_size: Count = 256
    """Units of the model's hidden layer."""
    learning_rate: Positive = 3e-3
    """Learning rate of the model, falling to zero within each step."""
    num_updates: Count = 10
    """Updates of the model in a training step, each on 128 decisions."""


class HCAOptions(HindsightModelOptions):
    """An action gets credit where a return, or a later state, is likelier to have come of it than of others (HCA)."""

    method: ClassVar[str] = "hca:HCA"
    changes = ADVANTAGES
    replaces = ADVANTAGES
    name: Literal["hca"] = "hca"
    revealed: Literal["return", "state"] = "return"
    """What the model is told: the return from the step on, or the states in which the rewards came."""
    num_updates: Count = 50
    """Updates of the model in a training step, each on 128 decisions."""


class CocoaOptions(HindsightModelOptions):
    """An action gets credit for a later reward where it made that reward likelier (COCOA)."""

    method: ClassVar[str] = "cocoa:Cocoa"
    changes = ADVANTAGES
    replaces = ADVANTAGES
    name: Literal["cocoa"] = "cocoa"


class HCAPOOptions(TemplateOptions):
    """The policy scores its own steps again, knowing how the episode ended (HCAPO)."""

    method: ClassVar[str] = "hcapo:HCAPO"
    changes = ADVANTAGES
    name: Literal["hcapo"] = "hcapo"
    weight: Weight = 1.0
    """ω: weight of the credit of a step, beside the advantage of the episode."""
    temperature: Positive = 5.0
    """Temperature that flattens the hindsight probability of a step."""
    clip: Share = 0.2
    """Bound of the hindsight ratio, which stays within 1 ± clip."""
    smoothing: bool = False
    """Whether the value of a step is averaged with the next one's."""


class GraphHCAOptions(MethodOptions):
    """Credit is the change of a state's value in the graph of all attempts of a group (GraphHCA)."""

    method: ClassVar[str] = "graph_hca:GraphHCA"
    changes = ADVANTAGES
    name: Literal["graph_hca"] = "graph_hca"
    floor: Fraction = 0.01
    """The least value of a state, so that it has a logarithm."""
    episode_weight: Weight = 0.0
    """Weight of the estimator's advantage, beside the credit; above 0, states that occurred once teach something."""
    change: Literal["log", "value"] = "log"
    """Whether the change is that of the value's logarithm, as in the source, or that of the value itself, which suits
    worlds where an action may lead nowhere."""


class GiGPOOptions(MethodOptions):
    """Steps of siblings that observed the same are compared with each other, as whole episodes are (GiGPO)."""

    method: ClassVar[str] = "gigpo:GiGPO"
    changes = ADVANTAGES
    name: Literal["gigpo"] = "gigpo"
    weight: Weight = 1.0
    """Weight of the step's advantage, beside the episode's."""
    scaled: bool = True
    """Whether to divide by the standard deviation of those compared."""


class HGPOOptions(MethodOptions):
    """Steps are compared with those of the same last observations, longer histories counting more (HGPO)."""

    method: ClassVar[str] = "gigpo:HGPO"
    changes = ADVANTAGES
    replaces = ADVANTAGES
    name: Literal["hgpo"] = "hgpo"
    history: Annotated[int, Field(ge=0)] = 2
    """K: number of earlier observations that may have to agree, besides the present one."""
    length_power: Weight = 1.0
    """α: the larger it is, the more a longer history counts."""
    scaled: bool = True
    """Whether to divide by the standard deviation of those compared."""


class OPDOptions(InformedOptions):
    """A token gets credit where a teacher that knows what was revealed finds it likelier (OpenClaw-RL)."""

    method: ClassVar[str] = "opd:OPD"
    changes = ADVANTAGES
    name: Literal["opd"] = "opd"
    reward_weight: Weight = 1.0
    """Weight of the estimator's advantage."""
    teacher_weight: Weight = 1.0
    """Weight of the teacher's log-ratio."""
    clip: Positive | None = 5.0
    """Bound of the log-ratio, which stays within ± clip; None sets no limit."""
    penalty: Positive | None = None
    """Number that is taken off in place of adding the teacher's log-ratio, as a control: nobody is asked then."""

    @property
    def needs_teacher(self) -> bool:
        return self.penalty is None

    @property
    def label(self) -> str:
        return super().label if self.penalty is None else f"{self.name}-penalty"


class RLSDOptions(InformedOptions):
    """The reward gives the direction of an advantage, and a teacher that knows the answer its size (RLSD)."""

    method: ClassVar[str] = "rlsd:RLSD"
    changes = ADVANTAGES
    name: Literal["rlsd"] = "rlsd"
    share: Share = 0.5
    """λ: share of the advantage that the teacher may stretch, at the first step."""
    share_steps: Count = 50
    """Number of training steps until λ is 0; after that the teacher is not asked any more."""
    clip: Share = 0.2
    """Bound of the teacher's factor, which stays within 1 ± clip."""


class RLCSDOptions(TaughtOptions, TemplateOptions):
    """Tokens that a right answer makes likelier than wrong ones do count for more (RLCSD)."""

    method: ClassVar[str] = "rlcsd:RLCSD"
    changes = ADVANTAGES
    name: Literal["rlcsd"] = "rlcsd"
    num_wrong: Count = 4
    """K: most wrong siblings that are shown, one at a time."""
    strength: Annotated[float, Field(ge=0, le=2)] = 0.5
    """β·λ: the most that is added to an advantage."""
    temperature: Positive = 0.02
    """τ: contrast at which most of the strength is added."""
    threshold: Weight = 0.02
    """δ: a token with a smaller change keeps its advantage."""


class CSCROptions(TemplateOptions):
    """A token counts for less, the more a verdict on the answer, right or wrong, would change it (CSCR)."""

    method: ClassVar[str] = "cscr:CSCR"
    changes = ADVANTAGES
    name: Literal["cscr"] = "cscr"
    threshold: Weight = 0.1
    """Largest shift, in nats, with which a token keeps its weight."""
    scale: Positive = 1.0
    """Shift beyond the threshold, in nats, with which the weight has fallen to 1/e."""


class CoRTOptions(TemplateOptions):
    """A token counts for more where the criteria that the answer is judged by make it likelier (CoRT)."""

    method: ClassVar[str] = "cort:CoRT"
    changes = ADVANTAGES
    name: Literal["cort"] = "cort"
    rubric: str | None = None
    """Column of the data that holds the criteria, as a text or a list; None takes what was said of the attempt."""
    clip: Positive = 1.0
    """Bound of the shift, in nats, which stays within ± clip before it becomes a weight."""
    ramp_steps: Count = 50
    """Number of training steps until the weights count in full; in the first they do not count at all."""


class TurnSightOptions(TaughtOptions, TemplateOptions):
    """A turn counts for more where the results of the turns after it speak for it (TurnSight)."""

    method: ClassVar[str] = "turnsight:TurnSight"
    changes = ADVANTAGES
    name: Literal["turnsight"] = "turnsight"
    results: Count = 3
    """Most results of later turns that the teacher is shown together; it is asked with one, with two, and so on."""
    strength: Fraction = 0.2
    """ε: the most by which an advantage grows or shrinks, as a share of it."""


class VineOptions(MethodOptions):
    """The value of an unfinished answer is the mean reward of finishing it afresh several times (VinePPO)."""

    method: ClassVar[str] = "vine:Vine"
    changes = ADVANTAGES
    replaces = ADVANTAGES
    name: Literal["vine"] = "vine"
    num_samples: Count = 9
    """K: number of times that each prefix is finished."""
    segment_length: Count = 8
    """Number of tokens that share an advantage; a value is estimated before each segment."""


class BestOfNOptions(MethodOptions):
    """The best attempts of a group are imitated, the others thrown away (RAFT, ReST)."""

    method: ClassVar[str] = "best_of_n:BestOfN"
    name: Literal["best_of_n"] = "best_of_n"
    keep: Count = 1
    """Number of attempts of a group that are imitated, if so many are better than its worst, or successes."""
    threshold: float | None = None
    """The least reward of what is imitated; None allows any."""

    @property
    def policy_gradient_weight(self) -> float:
        return 0.0


class PreferenceOptions(TaughtOptions):
    """The better of two attempts is preferred to the worse one, against the policy of the start (DPO)."""

    method: ClassVar[str] = "preference:Preference"
    name: Literal["preference"] = "preference"
    beta: Positive = 0.1
    """β: the higher it is, the less the policy has to move away from the start until a pair is learnt."""
    pairs: Count = 1
    """Number of pairs of a group: its best attempt with its worst, the second best with the second worst, and so on."""

    @property
    def policy_gradient_weight(self) -> float:
        return 0.0


ADVANTAGE = (
    HCAOptions,
    CocoaOptions,
    HCAPOOptions,
    GraphHCAOptions,
    GiGPOOptions,
    HGPOOptions,
    OPDOptions,
    RLSDOptions,
    RLCSDOptions,
    CSCROptions,
    CoRTOptions,
    TurnSightOptions,
    VineOptions,
    BestOfNOptions,
    PreferenceOptions,
)
