"""The hindsight model of `hca` and `cocoa`, a small network that is fitted on the policy's own trajectories.

It models the actions that were taken, given what was observed and what was revealed later:

    h = softmax(log π(· | observation) + f(observation, what was revealed))

f starts at 0: h equals the policy until something was learnt of what is revealed, and it follows the policy by itself.
N rows, D features, A actions, B rows of an update, 3 the powers 0, 1 and 2 of a feature.

The model starts from the same weights in every run, and the number of fits before decides which rows it draws, so that
the random generators of the run are left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from backsight.seeds import derive_seed

BATCH_SIZE = 128
"""Number of rows in an update, drawn with replacement."""
LARGEST_RATIO = 10.0
"""Largest ratio of π to h. What was done was possible, so an h near 0 is a mistake of the model."""


@dataclass(frozen=True)
class Rows:
    """Rows of data: what was observed and revealed, and what was done."""

    features_ND: Tensor
    actions_N: Tensor
    log_prior_NA: Tensor
    """The policy's log-probability of every action."""


class HindsightModel:
    """Hindsight model whose f has one hidden layer.

    The features are brought to mean 0 and deviation 1, over all that the model has been fitted on.
    """

    def __init__(self, hidden_size: int, learning_rate: float, num_updates: int) -> None:
        self.hidden_size, self.learning_rate, self.num_updates = hidden_size, learning_rate, num_updates
        self.num_fits = 0
        self.num_actions = 0
        self.net: nn.Sequential | None = None

    def admit(self, action: int) -> None:
        """Make room for an action.

        The number of actions is not known beforehand, so an action beyond those known starts the model over.
        """
        if action >= self.num_actions:
            self.num_actions, self.net = action + 1, None

    def fit(self, rows: Rows, times_N: Tensor) -> None:
        """Fit f on the rows; `times_N` says how often each row occurred."""
        if len(times_N) == 0:
            return
        net = self.net or self._start(rows.features_ND.shape[1])
        self._count(rows.features_ND, times_N)
        inputs_ND = self._scale(rows.features_ND)
        generator = torch.Generator().manual_seed(derive_seed("hindsight_model", "rows", self.num_fits))
        drawn = times_N.multinomial(self.num_updates * BATCH_SIZE, replacement=True, generator=generator)
        for number, rows_B in enumerate(drawn.view(self.num_updates, BATCH_SIZE)):
            # the rate falls to zero within a fit: otherwise the last draws would be noise in the credit
            self.optimizer.param_groups[0]["lr"] = self.learning_rate * (1 - number / self.num_updates)
            with torch.enable_grad():
                logits_BA = rows.log_prior_NA[rows_B] + net(inputs_ND[rows_B])
                loss = nn.functional.cross_entropy(logits_BA, rows.actions_N[rows_B])
                self.optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
        self.num_fits += 1

    @torch.no_grad()
    def credit(self, rows: Rows) -> Tensor:
        """Return 1 - π/h of what was done, (N,): above 0 where what was revealed makes it likelier than it was."""
        if self.net is None:
            return torch.zeros(len(rows.actions_N))
        log_prior_NA = rows.log_prior_NA.log_softmax(-1)  # among the known actions
        log_h_NA = (log_prior_NA + self.net(self._scale(rows.features_ND))).log_softmax(-1)
        ratio_NA = (log_prior_NA - log_h_NA).exp().clamp(max=LARGEST_RATIO)
        credit_N: Tensor = 1 - ratio_NA.gather(1, rows.actions_N[:, None])[:, 0]
        return credit_N

    def state(self) -> dict[str, Tensor]:
        if self.net is None:
            return {}
        moments = {
            f"adam.{number}.{name}": value
            for number, own in self.optimizer.state_dict()["state"].items()
            for name, value in own.items()
        }
        weights = {f"net.{name}": value for name, value in self.net.state_dict().items()}
        counts = {"num_fits": torch.tensor(self.num_fits), "sums_3D": self.sums_3D}
        return {key: value.clone() for key, value in {**counts, **weights, **moments}.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        if not state:
            return
        self.num_fits, self.num_actions = int(state["num_fits"]), len(state["net.2.bias"])
        net = self._start(state["sums_3D"].shape[1])
        self.sums_3D = state["sums_3D"].clone()
        net.load_state_dict({name: state[f"net.{name}"] for name in net.state_dict()})
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in state.items():
            if key.startswith("adam."):
                _, number, name = key.split(".")
                moments.setdefault(int(number), {})[name] = value.clone()
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})

    def _start(self, width: int) -> nn.Sequential:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(derive_seed("hindsight_model"))  # the CPU's generator, restored later
            self.net = nn.Sequential(
                nn.Linear(width, self.hidden_size), nn.ReLU(), nn.Linear(self.hidden_size, self.num_actions)
            )
        for parameter in self.net[2].parameters():
            nn.init.zeros_(parameter)
        self.optimizer = torch.optim.AdamW(self.net.parameters(), self.learning_rate)
        self.sums_3D = torch.zeros(3, width, dtype=torch.float64)
        return self.net

    def _count(self, features_ND: Tensor, times_N: Tensor) -> None:
        powers_3ND = torch.stack([features_ND.double() ** power for power in range(3)])
        self.sums_3D += (powers_3ND * times_N[:, None]).sum(1)

    def _scale(self, features_ND: Tensor) -> Tensor:
        count_D, sum_D, squares_D = self.sums_3D
        mean_D = sum_D / count_D
        deviation_D = (squares_D / count_D - mean_D.square()).clamp(min=0).sqrt()
        # a feature that never changed is not divided, or it would be huge once it changes
        scaled_ND: Tensor = ((features_ND - mean_D) / torch.where(deviation_D > 1e-4, deviation_D, 1.0)).float()
        return scaled_ND
