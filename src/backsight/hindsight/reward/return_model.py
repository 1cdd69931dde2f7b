"""The predictor of `rudder`: a small LSTM that predicts the return of an episode from its beginning.

It reads token ids, or observations and actions as numbers, and says after every unit (a step, or a token of a
completion) what it expects the whole episode to earn. It draws from random generators of its own and begins every fit
with a fresh optimiser, so only its weights, its lessons and a count have to be saved.

Tensors: B lessons, L inputs of a lesson, U its units, D numbers of an input, H hidden.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from backsight.seeds import derive_seed

BATCH = 32
BUCKETS = 4096
"""Number of rows in the table of token embeddings; larger ids share its rows."""
EVERY_PREFIX = 0.5
"""Weight of predicting from all prefixes, beside that from the whole episode, so that predictions change early."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """An episode as the predictor reads it."""

    inputs: Tensor
    """Token ids (L,), or numbers (L, D)."""
    ends_U: Tensor
    """Index of the last input of each unit, (U,)."""
    total: float
    """Return of the episode."""


class ReturnModel:
    """Predictor of returns, with the episodes that it learns from."""

    def __init__(self, num_lessons: int, updates: int, learning_rate: float, hidden_size: int) -> None:
        self.num_lessons, self.updates = num_lessons, updates
        self.learning_rate, self.hidden_size = learning_rate, hidden_size
        self.lessons: list[Lesson] = []
        self.network: Network | None = None
        self.num_fits = 0

    def fit(self, lessons: Sequence[Lesson]) -> None:
        """Learn from the newest `num_lessons` of these lessons and the earlier ones."""
        self.lessons = [*self.lessons, *lessons][-self.num_lessons :]
        if not self.lessons:
            return
        generator = torch.Generator().manual_seed(derive_seed("return_model", self.num_fits))
        self.num_fits += 1
        network = self.network = self.network or self._fresh()
        optimizer = torch.optim.Adam(network.parameters(), lr=self.learning_rate)
        for _ in range(self.updates):
            chosen = torch.randint(len(self.lessons), (BATCH,), generator=generator).tolist()
            with torch.enable_grad():
                loss = self._loss(network, [self.lessons[index] for index in chosen])
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    @torch.no_grad()
    def predict(self, lessons: Sequence[Lesson]) -> list[Tensor]:
        """Return for each lesson the return expected after each unit, (U,) in float64.

        `fit` has to have seen an episode before.
        """
        assert self.network is not None
        mean, deviation = self._scale()
        predicted_BL = self.network([lesson.inputs for lesson in lessons]).double() * deviation + mean
        return [predicted_L[lesson.ends_U] for predicted_L, lesson in zip(predicted_BL, lessons, strict=True)]

    def state(self) -> Mapping[str, Tensor]:
        if self.network is None:
            return {}
        return {
            **{f"network.{name}": weight for name, weight in self.network.state_dict().items()},
            "num_fits": torch.tensor(self.num_fits),
            "inputs": torch.cat([lesson.inputs for lesson in self.lessons]),
            "num_inputs": torch.tensor([len(lesson.inputs) for lesson in self.lessons]),
            "ends": torch.cat([lesson.ends_U for lesson in self.lessons]),
            "num_ends": torch.tensor([len(lesson.ends_U) for lesson in self.lessons]),
            "totals": torch.tensor([lesson.total for lesson in self.lessons], dtype=torch.float64),
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        if not state:
            return
        inputs = torch.split(state["inputs"], state["num_inputs"].tolist())
        ends = torch.split(state["ends"], state["num_ends"].tolist())
        self.lessons = list(map(Lesson, inputs, ends, state["totals"].tolist()))
        self.num_fits = int(state["num_fits"])
        self.network = self._fresh()
        prefix = "network."
        self.network.load_state_dict(
            {name.removeprefix(prefix): weight for name, weight in state.items() if name.startswith(prefix)}
        )

    def _scale(self) -> tuple[float, float]:
        """Return mean and deviation of the returns: the network predicts returns that were normalised with them."""
        totals = torch.tensor([lesson.total for lesson in self.lessons], dtype=torch.float64)
        return float(totals.mean()), float(totals.std(correction=0))

    def _loss(self, network: Network, lessons: Sequence[Lesson]) -> Tensor:
        mean, deviation = self._scale()
        targets_B = torch.tensor([(lesson.total - mean) / max(deviation, 1e-8) for lesson in lessons])
        errors_BL = network([lesson.inputs for lesson in lessons]) - targets_B.unsqueeze(-1)
        weights_BL = pad_sequence([_weights(lesson) for lesson in lessons], batch_first=True)
        loss: Tensor = (weights_BL * errors_BL.square()).sum() / len(lessons)
        return loss

    def _fresh(self) -> Network:
        """Make a network for inputs like those of the lessons, always with the same first weights."""
        example = self.lessons[0].inputs
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(derive_seed("return_model"))  # the CPU's generator, restored later
            return Network(None if example.dim() == 1 else example.shape[1], self.hidden_size)


def _weights(lesson: Lesson) -> Tensor:
    """Return the weights of the errors after each input, (L,): most for the last input, none within a unit."""
    weights_L = torch.zeros(len(lesson.inputs))
    weights_L[lesson.ends_U] = EVERY_PREFIX / len(lesson.ends_U)
    weights_L[lesson.ends_U[-1]] += 1
    return weights_L


class Network(nn.Module):
    """LSTM with one number after each input: the normalised return that is expected."""

    def __init__(self, num_numbers: int | None, hidden_size: int) -> None:
        """Make the layers. `num_numbers` is D, or None where inputs are token ids."""
        super().__init__()
        is_text = num_numbers is None
        self.entry = nn.Embedding(BUCKETS, hidden_size) if is_text else nn.Linear(num_numbers or 0, hidden_size)
        self.memory = nn.LSTM(hidden_size, hidden_size, batch_first=True)
        self.exit = nn.Linear(hidden_size, 1)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Return the predictions, (B, L); those behind the end of a lesson mean nothing."""
        padded = pad_sequence(list(inputs), batch_first=True)
        if isinstance(self.entry, nn.Embedding):
            padded = padded % BUCKETS
        states_BLH, _ = self.memory(torch.tanh(self.entry(padded)))  # tanh, since some observations reach to 10,000
        predicted_BL: Tensor = self.exit(states_BLH).squeeze(-1)
        return predicted_BL
