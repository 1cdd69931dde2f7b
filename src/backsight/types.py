"""What flows between the rooms of backsight.

A run repeats four steps, and these are the records that pass from one to the next:

    collect    Action, Step, Trajectory, Group    what was done, and under which policy
    reveal     Feedback                           what was known only afterwards
    look_back  Example                            what to learn, per decision
    update     Decisions                          the learner's view of the same decisions, flat

Words. A *decision* is the unit that gets a log-probability and an advantage: a token of a language model,
an action of a Gymnasium agent. A *step* is one call of the environment: it holds T_a decisions (one for a
Gymnasium action, the length of the completion for a language model). A *trajectory* is the steps of one
episode and holds T = Σ T_a decisions. A *group* is the trajectories that share a start.

Shapes. N all decisions of a batch of examples, laid end to end; T the decisions of one example; T_a those of
one step; S the steps of one trajectory. Log-probabilities are natural logarithms, in float32, on the CPU.
Nothing here imports torch at run time, so that the parts of the package that need no tensors start fast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from torch import Tensor

Observation = Any
"""What a policy sees. Language models: a string, chat messages ``[{"role": ..., "content": ...}]``, or `Begun`.
Module policies: a flat float32 array."""

Messages = list[dict[str, Any]]
"""Chat messages; they may hold more than a role and a content."""

ActionValue = Any
"""What a policy did. Language models: a tuple of token ids, end-of-text included when it was sampled.
Module policies: what the environment's ``step`` takes."""


def is_chat(value: object) -> TypeGuard[Messages]:
    """Whether it is one or more chat messages."""
    return isinstance(value, list) and bool(value) and all(map(_is_message, value))


def _is_message(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(key), str) for key in ("role", "content"))


@dataclass(frozen=True, slots=True)
class Begun:
    """A prompt whose completion has been begun already: the policy goes on behind these tokens."""

    prompt: Observation
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How actions are drawn. It is part of the behaviour policy: the learner scores with the same."""

    temperature: float = 1.0
    """Divides the logits before the softmax; 0 takes the most likely action."""
    max_completion_length: int = 64
    """The most tokens of one completion. This and what follows concerns language models; module policies ignore it."""
    min_completion_length: int = 0
    """Before so many tokens, end-of-text included, a completion cannot end."""
    top_k: int = 0
    """Only the k most likely tokens; 0: all."""
    top_p: float = 1.0
    """Only the most likely tokens that together have this probability."""
    min_p: float = 0.0
    """Only tokens that have this share of the most likely one's probability."""
    repetition_penalty: float = 1.0
    """Logits of tokens that occurred before, in prompt or completion, are divided by it, or multiplied below zero.
    The learner cannot score with it: for generation only."""
    stop_strings: tuple[str, ...] = ()
    """A completion ends with the token that completes one of them."""

    @property
    def is_truncated(self) -> bool:
        """Whether some tokens are ruled out."""
        return self.top_k > 0 or self.top_p < 1 or self.min_p > 0 or self.min_completion_length > 0


@dataclass(frozen=True, slots=True)
class Action:
    """One action, with the log-probabilities it was sampled with."""

    value: ActionValue
    log_probs: Tensor
    """(T_a,) under the behaviour policy, temperature included."""
    text: str | None = None
    """Language models: the completion as text, for those who judge it. Never tokenised again."""
    is_truncated: bool = False
    """The length cap ended it, not the policy."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call of the environment, with Gymnasium's words."""

    observation: Observation
    action: Action
    reward: float = 0.0
    """What the environment paid at once."""
    terminated: bool = False
    truncated: bool = False
    info: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What is known only after the episode. Every field is optional."""

    rewards: Mapping[str, float] = field(default_factory=dict)
    """Named rewards of the whole episode, before weighting."""
    reward: float | None = None
    """Their weighted sum; it is credited to the last step."""
    step_rewards: tuple[float, ...] | None = None
    """(S,) one reward a step, judged in hindsight; it replaces what the environment paid at once."""
    success: bool | None = None
    """Whether the episode reached what was asked."""
    achieved_goal: tuple[Observation, ...] | None = None
    """(S,) the observations as they would have read, had what was achieved been what was asked."""
    goals_on_the_way: Sequence[tuple[Observation, ...]] | None = None
    """(S,) at index k the first k+1 observations, as they would have read, had what was achieved after step k been what
    was asked. Worked out when looked at."""
    achieved_share: float | None = None
    """How much of what was asked is part of the achieved goal as well, from 0 to 1."""
    text: str | None = None
    """A comment on the episode, in words."""
    correction: str | None = None
    """What should have been done instead."""
    outcome: str | None = None
    """What came of it in the world, in words."""
    sources: tuple[str, ...] = ()
    """Who said it: the names of the reward functions, environments or people."""


@dataclass(frozen=True, slots=True)
class Trajectory:
    """The steps of one episode, and what was revealed afterwards."""

    start: Any
    """What the group shares: a task item, or the seed of an environment."""
    steps: tuple[Step, ...]
    feedback: Feedback = Feedback()

    @property
    def rewards(self) -> list[float]:
        """(S,) one reward a step: judged in hindsight where it was, else as paid, plus the episode's own."""
        if self.feedback.step_rewards is not None:
            rewards = list(self.feedback.step_rewards)
        else:
            rewards = [step.reward for step in self.steps]
        if self.feedback.reward is not None:
            rewards[-1] += self.feedback.reward
        return rewards

    @property
    def num_decisions(self) -> int:
        return sum(len(step.action.log_probs) for step in self.steps)

    @property
    def prompts(self) -> tuple[Observation, ...]:
        """(S,) what was observed."""
        return tuple(step.observation for step in self.steps)

    @property
    def responses(self) -> tuple[ActionValue, ...]:
        """(S,) what was done."""
        return tuple(step.action.value for step in self.steps)

    def revealed(self, feedback: Feedback) -> Trajectory:
        """The same episode, with what was said of it."""
        return replace(self, feedback=feedback)


@dataclass(frozen=True, slots=True)
class Group:
    """Trajectories that share a start: siblings."""

    start: Any
    trajectories: tuple[Trajectory, ...] = ()
    advantages: tuple[Tensor, ...] = ()
    """One tensor (T,) a trajectory: the estimator's advantages, set before a hindsight method sees the group, and
    changed by methods that know better."""


@dataclass(frozen=True, slots=True)
class Example:
    """What the learner trains on. Prompts and responses are pairs, one pair a step (one pair in all for a
    single-turn completion), so that a dialogue and a Gymnasium episode are the same record."""

    prompts: tuple[Observation, ...]
    """(S,) perhaps relabelled."""
    responses: tuple[ActionValue, ...]
    """(S,) perhaps revised."""
    method: str
    """The hindsight method that made it."""
    advantages: Tensor | None = None
    """(T,) for the policy gradient; None: the policy gradient leaves this example alone."""
    behaviour_log_probs: Tensor | None = None
    """(T,) None says that the example is not on-policy: no importance ratio is taken, and it is counted."""
    imitation_weights: Tensor | None = None
    """(T,) for the imitation loss; None: nothing to imitate."""
    teacher_prompts: tuple[Observation, ...] | None = None
    """(S,) what the teacher sees instead of `prompts`: it knows what was revealed."""
    teacher_weights: Tensor | None = None
    """(T,) for the divergence from the teacher's distribution at each decision; None: no teacher."""
    shaping: float | None = None
    """γ: without a behaviour policy, the policy gradient is taken of A·π/(π + γ) instead of A·log π, which fades where
    the policy would not have gone."""
    weight: float = 1.0
    """Multiplies every loss of the example."""
    trajectory: Trajectory | None = None
    """Where it came from; None for a row that nobody sampled."""

    @property
    def num_decisions(self) -> int:
        for weights in (self.advantages, self.imitation_weights, self.teacher_weights):
            if weights is not None:
                return len(weights)
        return 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to compute of the distribution at each decision, besides the log-probability of what was taken."""

    entropy: bool = False
    uniform: bool = False
    """The mean log-probability over all actions."""
    top_k: int = 0
    """So many of the most likely actions, or all there are."""
    support_NK: Tensor | None = None
    """Log-probabilities of these actions."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """A policy's scores of a batch of examples, flat over their decisions, in the order of the examples."""

    log_probs_N: Tensor
    """Differentiable."""
    num_tokens: int
    """What went through the model for them, padding not counted: prompts as often as they were computed."""
    entropy_N: Tensor | None = None
    """Entropy of the distribution at each decision, in nats; only when asked for."""
    uniform_log_probs_N: Tensor | None = None
    """Mean log-probability over all actions at each decision (label smoothing's target); only when asked for."""
    support_NK: Tensor | None = None
    """K actions at each decision, the most likely first or those that were asked about; only when asked for."""
    support_log_probs_NK: Tensor | None = None
    """Their log-probabilities, differentiable."""
