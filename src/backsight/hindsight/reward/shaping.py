"""`shaping`: every step is paid the change of a potential, which leaves the best policy the best.

Place: the reward.
Revealed: how promising a state was, by a potential Φ that is known in hindsight (distance to the goal, a proof
assistant's open goals).
Source: PBRS (Ng 1999, ICML, theorem 1).
Loss: that of the run's algorithm, on the rewards

    r'_t = r_t + γ·Φ(s_{t+1}) - Φ(s_t),     Φ(after the last step) = 0        r (S,), Φ (S,)
    G'_t = G_t - Φ(s_t)                     so what is learnt to be best does not change

r_t is the reward of step t of S steps, s_t the state before it, G_t the return from it on, γ the discount; r' and G'
are the new rewards and returns.

Φ(s_t) is `step.potential`, of the state in which the action of the step was *chosen*: environments say it in the `info`
of that state, as ``potential``. Instead, a function `potential` may read it off the observation. An episode that was
cut off (truncated) ends with Φ = 0 as well: with any other value the sum would no longer telescope to -Φ(s_0). The
critic of `algorithm=ppo`, which expects something behind a limit, adds Φ to what it expects there.

When not to use it: with estimators that credit each step with the whole return (rloo, grpo, dr_grpo) nothing changes,
since -Φ(s_0) is the same for all siblings; take `algorithm=reinforce` or `ppo`. In episodes of one step nothing changes
either. Φ has to be a function of the state alone: one that reads what followed the action is no potential, and biases.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from backsight.errors import ConfigError
from backsight.feedback.numbers import call_for_number, finite_reward
from backsight.hindsight.base import Hindsight, LookBack, Scorer
from backsight.hindsight.reward.options import ShapingOptions
from backsight.types import Group, Observation, Step, Trajectory


class Shaping(Hindsight[ShapingOptions]):
    """Method that pays progress in the step in which it is made."""

    needs_scores = True

    def __init__(self, options: ShapingOptions, potential: Callable[[Observation], float] | None = None) -> None:
        """Make the method. `potential` reads Φ off an observation, for environments that do not say it."""
        super().__init__(options)
        self.potential = potential

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        """Return the groups with shaped rewards, and with advantages estimated from them.

        Raises:
            ConfigError: when a step has no potential.
            RewardError: when a potential is not a finite number.
        """
        shaped = [
            replace(group, trajectories=tuple(self._shape(each, scorer.discount) for each in group.trajectories))
            for group in groups
        ]
        return LookBack(scorer.estimate(shaped), [])

    def _shape(self, trajectory: Trajectory, discount: float) -> Trajectory:
        before_S = [self._potential_of(step) for step in trajectory.steps]
        after_S = [*before_S[1:], 0.0]
        paid_S = trajectory.feedback.step_rewards or [step.reward or 0.0 for step in trajectory.steps]
        step_rewards = tuple(
            paid + discount * after - before for paid, before, after in zip(paid_S, before_S, after_S, strict=True)
        )
        feedback = replace(trajectory.feedback, step_rewards=step_rewards)
        return replace(trajectory, feedback=feedback, next_potential=self._potential_behind(trajectory))

    def _potential_behind(self, trajectory: Trajectory) -> float:
        """Return the potential of the state behind an episode that was cut off; 0 where it ended."""
        if trajectory.next_observation is None:
            return 0.0
        if self.potential is not None:
            return call_for_number("hindsight.potential", self.potential, trajectory.next_observation)
        said = trajectory.steps[-1].info.get("potential")
        return 0.0 if said is None else finite_reward(said, "info['potential']")

    def _potential_of(self, step: Step) -> float:
        if self.potential is not None:
            return call_for_number("hindsight.potential", self.potential, step.observation)
        if step.potential is None:
            remedy = "put 'potential' into the info of every observation, or give Shaping a potential"
            raise ConfigError("step.potential", None, remedy)
        return finite_reward(step.potential, "step.potential")
