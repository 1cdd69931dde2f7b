"""The interface of hindsight methods: the class `Hindsight`, what a method may ask of a run, the control `Outcome`,
and rows for the learner: how a method makes examples of trajectories, and how rows of one attempt become one.

S steps and T decisions of a trajectory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Generic, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from backsight.hindsight.options import MethodOptions, OutcomeOptions
from backsight.types import Action, ActionValue, AttemptKey, Example, Group, Observation, Sources, Trajectory

Exchange = tuple[tuple[Observation, ...], tuple[ActionValue, ...]]
"""Prompts (S,) and the responses to them (S,)."""


Told = Mapping[AttemptKey, tuple[Observation, ...]]
"""Prompts that hold what was revealed, (S,), by the key of the attempt that they are about."""


class Scorer(Protocol):
    """Questions that a method may ask of a run. No answer carries a gradient."""

    @property
    def discount(self) -> float:
        """γ of a reward one environment step later: that of the run, since no method has one of its own."""
        ...

    def encode(self, text: str) -> ActionValue:
        """Return a text that nobody sampled as the response that the policy would have had to give."""
        ...

    def pieces(self, response: ActionValue) -> list[str]:
        """Return the text of each decision of a response, special tokens by their names."""
        ...

    def fits(self, prompts: Sequence[Observation], response: ActionValue | None = None) -> bool:
        """Return whether each prompt leaves room for a completion, or for this response.

        A prompt that holds a hint may be too long.
        """
        ...

    def log_probs(self, exchanges: Sequence[Exchange], *, whole: bool = False) -> list[Tensor]:
        """Return the policy's log-probabilities of the responses under the prompts, (T,) for each exchange.

        The prompts may be of any kind. The distribution is the one that the run samples from; with `whole`, it is that
        before the sampler ruled any action out.
        """
        ...

    def teacher_log_probs(self, exchanges: Sequence[Exchange]) -> list[Tensor]:
        """Return the teacher's log-probabilities of the responses under the prompts, (T,) for each exchange.

        The teacher is a copy of the policy, frozen unless `teacher.update` says otherwise. Its distribution is the
        whole one, whatever the sampler rules out.
        """
        ...

    def whole_log_probs(self, trajectories: Sequence[Trajectory]) -> list[Tensor]:
        """Return the log-probabilities of what was sampled before the sampler ruled any action out, (T,) each.

        They are what a teacher's log-probabilities are compared with.
        """
        ...

    def trusts_teacher(self, told: Told, groups: Sequence[Group]) -> bool:
        """Return whether the teacher, told what was revealed, has been better than the policy in the newest trials.

        `told` are the prompts that the teacher would see, by the key of each attempt. When a trial is due, the teacher
        acts on some of them. While it is not better, what a method learns is what it would learn without a teacher.
        """
        ...

    def sample(self, prompts: Sequence[Observation]) -> list[Action]:
        """Sample one fresh action of the policy for each prompt."""
        ...

    def judge(self, trajectories: Sequence[Trajectory]) -> list[Trajectory]:
        """Return the same trajectories with feedback from the run's own source."""
        ...

    def estimate(self, groups: Sequence[Group]) -> list[Group]:
        """Return the same groups with advantages by the run's estimator, from the rewards that they have now."""
        ...


class LookBack(NamedTuple):
    """Result of a method: the groups of a step, and examples."""

    groups: Sequence[Group]
    """The same groups, perhaps with other rewards or advantages."""
    examples: list[Example]
    """Examples to learn from."""


OptionsT = TypeVar("OptionsT", bound=MethodOptions, covariant=True)


class Hindsight(Generic[OptionsT]):
    """Method that turns finished trajectories into training examples.

    A method overrides `reconsider`. What changes the reward or the advantage usually comes back in the groups; what
    changes the prompt, the response or the target comes back as examples, which are called rows. `look_back` adds the
    rows of the policy gradient on what was sampled, with the advantages that the groups have after `reconsider`.
    """

    needs_scores: ClassVar[bool] = False
    """Whether the method reads rewards. Attempts that nobody scored are then kept from it, and have the advantage 0."""

    def __init__(self, options: OptionsT) -> None:
        self.options = options

    @property
    def policy_gradient_weight(self) -> float:
        """Weight of the policy gradient on what was sampled, as it is after `reconsider`."""
        return self.options.policy_gradient_weight

    def look_back(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        """Return the groups as the method changes them, and all rows to learn from.

        The method first learns something of its own, then reconsiders the groups; then its rows are joined with those
        of the policy gradient. This is the one way in for trainer, tests and users.
        """
        groups, rows = self.look_at(number_attempts(groups), scorer)
        sampled = policy_gradient_rows(groups, self.policy_gradient_weight)
        return LookBack(groups, merge_rows([*sampled, *rows]))

    def look_at(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        """Fit the method to numbered groups and reconsider them, without the rows of the policy gradient."""
        seen = [keep_scored(group) for group in groups] if self.needs_scores else groups
        self.fit(seen, scorer)
        changed, rows = self.reconsider(seen, scorer)
        if self.needs_scores:
            changed = [put_back_unscored(own, group) for own, group in zip(changed, groups, strict=True)]
        return LookBack(changed, rows)

    def fit(self, groups: Sequence[Group], scorer: Scorer) -> None:
        """Learn from the groups of a step before they are reconsidered; by default nothing is learnt."""

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        """Return the groups as the method changes them, and the rows that it adds to the policy gradient's."""
        return LookBack(groups, [])

    def state(self) -> Mapping[str, Tensor]:
        """Return what the method has learnt, for a checkpoint."""
        return {}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned."""


class Outcome(Hindsight[OutcomeOptions]):
    """`outcome`: what was sampled is reinforced with the estimator's advantages, without any hindsight.

    Place: none; this is the control.
    Revealed: the reward alone.
    Source: the plain policy gradient.
    Loss: that of the run's algorithm, in its plain form with the gradient

        (1/N) Σ_i Σ_t ∇ log π(a_t|s_t)·A_t

    over N decisions: trajectory i takes the action a_t in the state s_t, with the advantage A_t.

    When not to use it: where every sibling gets the same reward. The advantages are zero then and the group teaches
    nothing; the other methods are for that case.
    """


def number_attempts(groups: Sequence[Group]) -> list[Group]:
    """Give every attempt a key, by which the rows that concern it are matched."""
    return [
        replace(
            group,
            trajectories=tuple(
                replace(each, key=AttemptKey(number, place)) for place, each in enumerate(group.trajectories)
            ),
        )
        for number, group in enumerate(groups)
    ]


def keep_scored(group: Group) -> Group:
    """Return the group without the attempts that nobody scored."""
    if len(group.scored) == len(group.trajectories):
        return group
    kept = tuple(place for place, each in enumerate(group.trajectories) if each.is_scored)
    advantages = tuple(group.advantages[place] for place in kept) if group.advantages else ()
    return replace(group, trajectories=group.scored, advantages=advantages)


def put_back_unscored(changed: Group, group: Group) -> Group:
    """Return a group that a method changed with the attempts that `keep_scored` left out; they have the advantage 0."""
    if len(changed.trajectories) == len(group.trajectories):
        return changed
    trajectories, advantages = iter(changed.trajectories), iter(changed.advantages)
    pairs = [
        (next(trajectories), next(advantages)) if each.is_scored else (each, torch.zeros(each.num_decisions))
        for each in group.trajectories
    ]
    return Group(group.start, tuple(each for each, _ in pairs), tuple(advantage for _, advantage in pairs))


def policy_gradient_rows(groups: Sequence[Group], weight: float) -> list[Example]:
    """Make the policy-gradient rows of what was sampled, with the advantages of the groups; none for the weight 0."""
    if weight == 0:
        return []
    return [
        policy_gradient_row(trajectory, advantages_T, weight)
        for group in groups
        for trajectory, advantages_T in zip(group.trajectories, group.advantages, strict=True)
    ]


def policy_gradient_row(trajectory: Trajectory, advantages_T: Tensor, weight: float = 1.0) -> Example:
    """Make an on-policy row of a trajectory as it was sampled, with advantages (T,)."""
    return Example(
        prompts=trajectory.prompts,
        responses=trajectory.responses,
        method="outcome",
        advantages=advantages_T,
        behaviour_log_probs=trajectory.behaviour_log_probs,
        weight=weight,
        trajectory=trajectory,
    )


def taught_row(
    trajectory: Trajectory, method: str, told: tuple[Observation, ...] | None, weights_T: Tensor, weight: float
) -> Example:
    """Make a row that learns from a teacher, which is told these prompts, where its weights, (T,), are not 0."""
    return Example(
        prompts=trajectory.prompts,
        responses=trajectory.responses,
        method=method,
        behaviour_log_probs=trajectory.behaviour_log_probs,
        teacher_prompts=told,
        teacher_weights=weights_T,
        weight=weight,
        trajectory=trajectory,
    )


def imitation_row(
    prompts: tuple[Observation, ...],
    responses: tuple[ActionValue, ...],
    method: str,
    weight: float = 1.0,
    trajectory: Trajectory | None = None,
) -> Example:
    """Make a row that imitates the responses under the prompts, off-policy and with all decisions alike."""
    num_decisions = sum(1 if not isinstance(each, tuple) else len(each) for each in responses)
    return Example(
        prompts=prompts,
        responses=responses,
        method=method,
        imitation_weights=torch.ones(num_decisions),
        weight=weight,
        trajectory=trajectory,
    )


def spread_over_decisions(values_S: Tensor | Sequence[float], trajectory: Trajectory) -> Tensor:
    """Spread the values of steps over their decisions: (S,) becomes (T,)."""
    counts_S = torch.tensor([len(step.action.log_probs) for step in trajectory.steps])
    return torch.as_tensor(values_S, dtype=torch.float32).repeat_interleave(counts_S)


def merge_rows(examples: Sequence[Example]) -> list[Example]:
    """Merge rows of the same attempt that hold the same prompts and responses, so that they take one forward pass.

    Rows that want the same part of the loss stay apart.
    """
    merged: list[Example] = []
    places: dict[AttemptKey, list[int]] = {}
    for example in examples:
        key = None if example.trajectory is None else example.trajectory.key
        known = [] if key is None else places.setdefault(key, [])
        place = next((each for each in known if _hold_the_same(merged[each], example)), None)
        both = None if place is None else _unite(merged[place], example)
        if place is not None and both is not None:
            merged[place] = both
            continue
        if place is None:  # a row that could not be merged takes in no later rows
            known.append(len(merged))
        merged.append(example)
    return merged


def _hold_the_same(one: Example, two: Example) -> bool:
    """Return whether two rows hold the same prompts and responses, by identity.

    A rewritten prompt with the same text counts as another one.
    """
    pairs = (*zip(one.prompts, two.prompts, strict=False), *zip(one.responses, two.responses, strict=False))
    return len(one.prompts) == len(two.prompts) and all(mine is other for mine, other in pairs)


def _unite(one: Example, two: Example) -> Example | None:
    """Return one row for both; None when they cannot be merged.

    That is when both want the same part of the loss, or when their numbers of decisions or their shaping differ.
    """
    if one.num_decisions != two.num_decisions or one.shaping != two.shaping:
        return None
    pairs = list(zip(_parts(one), _parts(two), strict=True))
    if any(mine is not None and other is not None for mine, other in pairs):
        return None
    advantages, imitation_weights, teacher_weights = (mine if mine is not None else other for mine, other in pairs)
    origins = zip(pairs, one.sources, two.sources, strict=True)
    return replace(
        one,
        advantages=advantages,
        imitation_weights=imitation_weights,
        teacher_weights=teacher_weights,
        method=one.method if one.method == two.method else f"{one.method}+{two.method}",
        merged_from=Sources(*(own if mine is not None else others for (mine, _), own, others in origins)),
        behaviour_log_probs=one.behaviour_log_probs if one.behaviour_log_probs is not None else two.behaviour_log_probs,
        teacher_prompts=one.teacher_prompts or two.teacher_prompts,
        weight=1.0,
    )


def _parts(example: Example) -> list[Tensor | None]:
    """Return advantages, imitation weights and teacher weights, each times the weight of the example."""
    parts = (example.advantages, example.imitation_weights, example.teacher_weights)
    return [None if each is None else each * example.weight for each in parts]
