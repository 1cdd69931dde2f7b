"""The records that pass between the parts of backsight.

A run repeats four steps, and these are the records that each of them hands to the next:

    collect    Action, Step, Trajectory, Group    what was done, and under which policy
    reveal     Feedback                           what was known only afterwards
    look_back  Example                            what to learn, per decision
    update     Decisions                          the learner's view of the same decisions, flat

Words. A *decision* is the unit that gets a log-probability and an advantage: a token of a language model, an action of
a Gymnasium agent. A *step* is one call of the environment: it holds T_a decisions (one for a Gymnasium action, the
length of the completion for a language model). A *trajectory* is the steps of one episode and holds T = Σ T_a
decisions. A *group* is the trajectories that share a start.

Shapes. N all decisions of a batch of examples, laid end to end; T the decisions of one example; T_a those of one step;
S the steps of one trajectory; K actions at a decision. Log-probabilities are natural logarithms, in float32, on the
CPU. Nothing here imports torch before a tensor is needed, so that parts of the package without tensors start fast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

from backsight.errors import RewardError
from backsight.rounding import difference, total

if TYPE_CHECKING:
    from torch import Tensor

Observation = Any
"""The input of a policy. Language models see a string, chat messages ``[{"role": ..., "content": ...}]``, or a
`PartialCompletion`; module policies see a flat float32 array."""

Messages = list[dict[str, Any]]
"""Chat messages. They may hold more than a role and a content."""

ActionValue = Any
"""The choice of a policy. For language models it is a tuple of token ids, end-of-text included when it was sampled; for
module policies it is a flat array, which the episode converts to what the environment's ``step`` takes."""


def is_chat(value: object) -> TypeGuard[Messages]:
    """Return whether the value is a list of one or more chat messages."""
    return isinstance(value, list) and bool(value) and all(map(_is_message, value))


def _is_message(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(key), str) for key in ("role", "content"))


@dataclass(frozen=True, slots=True)
class PartialCompletion:
    """A prompt with the first tokens of its completion: the policy goes on behind these tokens."""

    prompt: Observation
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Sampling:
    """Settings by which actions are drawn. They are part of the behaviour policy: the learner scores with the same."""

    temperature: float = 1.0
    """Divisor of the logits before the softmax; 0 takes the most likely action."""
    max_completion_length: int = 64
    """Most tokens of a completion. This field and those below concern language models alone."""
    min_completion_length: int = 0
    """Least tokens of a completion, end-of-text included."""
    top_k: int = 0
    """Number of the most likely tokens that can be drawn; 0 allows all."""
    top_p: float = 1.0
    """Probability that the most likely tokens together need to have, beyond which no other can be drawn."""
    min_p: float = 0.0
    """Least share of the most likely token's probability with which a token can be drawn."""
    repetition_penalty: float = 1.0
    """Number by which logits of tokens that occurred before, in prompt or completion, are divided, or multiplied below
    zero. The learner cannot score with it, so it is for generation only."""
    stop_strings: tuple[str, ...] = ()
    """Strings that end a completion, with the token that completes one of them."""

    @property
    def is_truncated(self) -> bool:
        """Whether some tokens are ruled out."""
        return self.top_k > 0 or self.top_p < 1 or self.min_p > 0 or self.min_completion_length > 0

    @property
    def whole(self) -> Sampling:
        """The same sampling with no token ruled out: the distribution that a teacher is compared on."""
        return replace(self, min_completion_length=0, top_k=0, top_p=1.0, min_p=0.0)


@dataclass(frozen=True, slots=True)
class Action:
    """One action, with the log-probabilities it was sampled with."""

    value: ActionValue
    log_probs: Tensor
    """Log-probabilities under the behaviour policy, temperature included, (T_a,)."""
    text: str | None = None
    """The completion of a language model as text. It is never tokenised again."""
    is_truncated: bool = False
    """Whether the limit of the length ended the action, and not the policy."""
    thought_end: int = 0
    """Number of characters at the beginning of the text that are thinking."""

    @property
    def answer(self) -> str | None:
        """What judges read of the text: all but the thinking."""
        return None if self.text is None else self.text[self.thought_end :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """Information that is known only after the episode. Every field is optional."""

    rewards: Mapping[str, float] = field(default_factory=dict)
    """Named rewards of the whole episode, before weighting."""
    reward: float | None = None
    """Weighted sum of the named rewards. It is credited to the last step."""
    step_rewards: tuple[float, ...] | None = None
    """Rewards of the steps, judged in hindsight, (S,). They replace what the environment paid at once."""
    success: bool | None = None
    """Whether the episode reached what was asked; None if that is unknown."""
    achieved_prompts: tuple[Observation, ...] | None = None
    """Prompts of the episode as they would have read if what was achieved had been what was asked, (S,)."""
    achieved_prompts_by_step: Sequence[tuple[Observation, ...]] | None = None
    """Prompts of each beginning of the episode, (S,): index k holds the first k+1 prompts as they would have read if
    what was achieved after step k had been what was asked. An entry is computed when it is looked at."""
    achieved_share: float | None = None
    """Share, from 0 to 1, of what was asked that the achieved prompts ask for as well."""
    text: str | None = None
    """A comment on the episode, in words."""
    correction: str | None = None
    """A response that should have been given instead."""
    outcome: str | None = None
    """Consequence of the episode in the world, in words."""
    sources: tuple[str, ...] = ()
    """Names of the reward functions, environments or people that the feedback comes from."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call of the environment, in Gymnasium's terms."""

    observation: Observation
    action: Action
    reward: float | None = None
    """Reward that the environment paid at once; None where it pays nothing."""
    terminated: bool = False
    truncated: bool = False
    info: Mapping[str, Any] = field(default_factory=dict)
    potential: float | None = None
    """Potential of the state in which the action was chosen: how good it was; None if the environment gives none."""
    feedback: Feedback | None = None
    """Feedback that the environment gave with this step: usually none before the last one."""


class AttemptKey(NamedTuple):
    """The place of an attempt among the groups of a training step."""

    group: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Trajectory:
    """The steps of one episode, and the feedback that was revealed afterwards."""

    start: Any
    """The start that the group shares: a task item, or the seed of an environment."""
    steps: tuple[Step, ...]
    feedback: Feedback = Feedback()
    key: AttemptKey | None = None
    """Place of the attempt in its training step. It stays the same when rewards or feedback are replaced; None for a
    trajectory that is no attempt of the step."""
    success_threshold: float = 1.0
    """Total reward from which the episode counts as a success, if its success is not revealed."""
    next_observation: Observation | None = None
    """Observation after the last step of an episode that a limit cut off; None where the episode ended, or where the
    environment shows none."""
    next_potential: float = 0.0
    """Potential of the state behind a cut-off episode, where `shaping` took none for it: what is expected there of
    shaped rewards is too low by so much."""

    @property
    def is_scored(self) -> bool:
        """Whether anybody scored the episode: the environment at once, or a source of feedback afterwards."""
        said = self.feedback.reward is not None or self.feedback.step_rewards is not None
        return said or any(step.reward is not None for step in self.steps)

    @property
    def rewards(self) -> list[float]:
        """Reward of each step, (S,): judged in hindsight if it was, else as paid. The last adds the episode's own.

        A step for which nothing was paid counts 0; see `is_scored`.
        """
        if self.feedback.step_rewards is not None:
            rewards = list(self.feedback.step_rewards)
        else:
            rewards = [0.0 if step.reward is None else step.reward for step in self.steps]
        if self.feedback.reward is not None:
            rewards[-1] += self.feedback.reward
        return rewards

    @property
    def total_reward(self) -> float:
        """Undiscounted sum of the rewards.

        Raises:
            RewardError: when nobody scored the episode.
        """
        if not self.is_scored:
            raise RewardError("reward", None, "nobody scored this attempt; see Trajectory.is_scored and Group.scored")
        return total(self.rewards)

    @property
    def succeeded(self) -> bool:
        """Whether the episode succeeded, as revealed; if that is unknown, whether it earned the `success_threshold`."""
        if self.feedback.success is not None:
            return self.feedback.success
        return self.is_scored and difference(self.total_reward, self.success_threshold) >= 0

    @property
    def was_cut_off(self) -> bool:
        """Whether a limit ended the episode or one of its actions, and neither the policy nor the environment.

        To imitate such an attempt would teach never to end.
        """
        return self.steps[-1].truncated or self.is_unfinished

    @property
    def is_unfinished(self) -> bool:
        """Whether the limit of the length ended one of the actions, so that the policy did not say its end.

        An episode that a limit of time ended may have achieved another goal in full; an unfinished answer has not.
        """
        return any(step.action.is_truncated for step in self.steps)

    @property
    def num_decisions(self) -> int:
        return sum(len(step.action.log_probs) for step in self.steps)

    @property
    def behaviour_log_probs(self) -> Tensor:
        """Log-probabilities that the decisions were sampled with, (T,)."""
        import torch

        return torch.cat([step.action.log_probs for step in self.steps])

    @property
    def prompts(self) -> tuple[Observation, ...]:
        """Observations of the steps, (S,)."""
        return tuple(step.observation for step in self.steps)

    @property
    def responses(self) -> tuple[ActionValue, ...]:
        """Values of the actions, (S,)."""
        return tuple(step.action.value for step in self.steps)

    @property
    def texts(self) -> tuple[str, ...]:
        """Texts of the actions without spaces around them, (S,); an action without words is an empty text."""
        return tuple((step.action.text or "").strip() for step in self.steps)

    def with_feedback(self, feedback: Feedback) -> Trajectory:
        """Return the same episode with other feedback."""
        return replace(self, feedback=feedback)


@dataclass(frozen=True, slots=True)
class Group:
    """Trajectories that share a start: siblings."""

    start: Any
    trajectories: tuple[Trajectory, ...] = ()
    advantages: tuple[Tensor, ...] = ()
    """Advantages of each trajectory, one tensor (T,) each. The estimator sets them before a hindsight method sees the
    group, and some methods replace them. A trajectory that nobody scored has the advantage 0."""

    @property
    def scored(self) -> tuple[Trajectory, ...]:
        """The trajectories that somebody scored."""
        return tuple(each for each in self.trajectories if each.is_scored)


class Sources(NamedTuple):
    """Names of the methods that made the parts of an example; rows of different methods are averaged apart."""

    advantages: str
    imitation: str
    teacher: str


@dataclass(frozen=True, slots=True)
class Example:
    """A training example of the learner.

    Prompts and responses are pairs, one pair a step (one pair in all for a single-turn completion), so that a dialogue
    and a Gymnasium episode are the same record.
    """

    prompts: tuple[Observation, ...]
    """Prompts of the steps, perhaps relabelled, (S,)."""
    responses: tuple[ActionValue, ...]
    """Responses of the steps, perhaps revised, (S,)."""
    method: str
    """Name of the hindsight method that made the example."""
    advantages: Tensor | None = None
    """Advantages for the policy gradient, (T,); None leaves the example out of it."""
    behaviour_log_probs: Tensor | None = None
    """Log-probabilities of the policy that sampled the responses, (T,). None says that the example is not on-policy: no
    importance ratio is taken, and it is counted as off-policy."""
    imitation_weights: Tensor | None = None
    """Weights of the imitation loss, (T,); None when nothing is imitated."""
    teacher_prompts: tuple[Observation, ...] | None = None
    """Prompts that the teacher sees instead of `prompts`, (S,): they hold what was revealed."""
    teacher_weights: Tensor | None = None
    """Weights of the divergence from the teacher's distribution at each decision, (T,); None when there is no
    teacher."""
    shaping: float | None = None
    """γ of the shaped policy gradient: without a behaviour policy, the gradient is taken of A·π/(π + γ) instead of
    A·log π, which fades where the policy finds the response unlikely."""
    weight: float = 1.0
    """Factor of every loss of the example."""
    trajectory: Trajectory | None = None
    """The attempt that the example came from; None for a row that was not sampled."""
    merged_from: Sources | None = None
    """Where the parts of a row came from that was made of rows of several methods; None: all from `method`."""

    @property
    def sources(self) -> Sources:
        """The methods that made the parts."""
        return self.merged_from or Sources(self.method, self.method, self.method)

    @property
    def is_reinforced(self) -> bool:
        """Whether the row is in the mean of the policy gradient: not so where nobody scored the attempt and no method
        has an opinion of it, so that its advantages are 0."""
        if self.advantages is None:
            return False
        return self.trajectory is None or self.trajectory.is_scored or bool(self.advantages.any())

    @property
    def exchanged(self) -> Example:
        """The example as its teacher reads it: with the prompts of teacher and policy in each other's place."""
        assert self.teacher_prompts is not None
        return replace(self, prompts=self.teacher_prompts, teacher_prompts=self.prompts)

    @property
    def num_decisions(self) -> int:
        for weights in (self.advantages, self.imitation_weights, self.teacher_weights):
            if weights is not None:
                return len(weights)
        return 0


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """Quantities to compute at each decision, besides the log-probability of the action that was taken."""

    entropy: bool = False
    """Whether to compute the entropy."""
    uniform: bool = False
    """Whether to compute the mean log-probability over all actions."""
    top_k: int = 0
    """Number of the most likely actions to return, or all actions if there are fewer."""
    support_NK: Tensor | None = None
    """Actions whose log-probabilities to return, instead of the most likely ones."""

    @property
    def asks_for_more(self) -> bool:
        """Whether anything is to be computed besides."""
        return self.entropy or self.uniform or self.top_k > 0 or self.support_NK is not None


@dataclass(frozen=True, slots=True)
class Decisions:
    """A policy's scores of a batch of examples, flat over their decisions, in the order of the examples."""

    log_probs_N: Tensor
    """Log-probabilities of the actions that were taken; differentiable."""
    num_tokens: int
    """Number of tokens that went through the model, without padding; a prompt counts as often as it was computed."""
    entropy_N: Tensor | None = None
    """Entropy of the distribution at each decision, in nats; None unless requested."""
    uniform_log_probs_N: Tensor | None = None
    """Mean log-probability over all actions at each decision (label smoothing's target); None unless requested."""
    support_NK: Tensor | None = None
    """K actions at each decision, the most likely first or those that were asked about; None unless requested."""
    support_log_probs_NK: Tensor | None = None
    """Log-probabilities of the K actions, differentiable; None unless requested."""
