"""`shaping`: every step is paid the change of a potential, and the best policy stays the best.

Place: the reward. Revealed: how promising a state was, by a potential Φ that somebody knows in hindsight (distance to
the goal, a proof assistant's open goals). Source: PBRS (Ng 1999, ICML, theorem 1).

    r'_t = r_t + γ·Φ(s_{t+1}) - Φ(s_t),     Φ(after the last step) = 0        r (S,), Φ (S,)
    G'_t = G_t - Φ(s_t)                     so what is learnt to be best does not change

Φ(s_t) stands in `step.info["backsight/potential"]`, for the state in which the action of the step was *chosen*; or a
function `potential` reads it off the observation. An episode that was cut off (truncated) ends with Φ = 0 as well: the
state behind its last step is not kept, and with any other value the sum would no longer telescope to -Φ(s_0).

When not to use it: with estimators that credit each step with the whole return (rloo, grpo, dr_grpo) nothing changes,
since -Φ(s_0) is the same for all siblings; take `algorithm=reinforce` or `ppo`. In episodes of one step nothing changes
either. Φ has to be a function of the state alone: one that reads what followed the action is no potential, and biases.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from backsight.errors import ConfigError
from backsight.feedback.environment import POTENTIAL, finite_reward
from backsight.hindsight.base import Hindsight, Scorer
from backsight.hindsight.given import number_from
from backsight.types import Group, Observation, Step, Trajectory


class Shaping(Hindsight):
    """Pay progress when it is made."""

    def __init__(self, discount: float = 1.0, potential: Callable[[Observation], float] | None = None) -> None:
        self.discount, self.potential = discount, potential

    def revalue(self, groups: Sequence[Group], scorer: Scorer) -> Sequence[Group]:
        """Raises `ConfigError` when a step has no potential, and `RewardError` when one is not a finite number."""
        return scorer.estimate(
            [replace(group, trajectories=tuple(map(self._shaped, group.trajectories))) for group in groups]
        )

    def _shaped(self, trajectory: Trajectory) -> Trajectory:
        before_S = [self._potential_of(step) for step in trajectory.steps]
        after_S = [*before_S[1:], 0.0]
        paid_S = trajectory.feedback.step_rewards or [step.reward for step in trajectory.steps]
        step_rewards = tuple(
            paid + self.discount * after - before for paid, before, after in zip(paid_S, before_S, after_S, strict=True)
        )
        return trajectory.revealed(replace(trajectory.feedback, step_rewards=step_rewards))

    def _potential_of(self, step: Step) -> float:
        if self.potential is not None:
            return number_from("hindsight.potential", self.potential, step.observation)
        if POTENTIAL not in step.info:
            held = ", ".join(map(str, step.info)) or "nothing"
            remedy = f"put '{POTENTIAL}' into the info of every step, or give Shaping a potential"
            raise ConfigError("step.info", held, remedy)
        return finite_reward(step.info[POTENTIAL], f"step.info['{POTENTIAL}']")
