"""Traces: what a step did to some rows of the learner, decision by decision, kept for people to look at.

Nothing of it changes what is learnt. In each traced step the rows that came of one group are measured, a group drawn at
random of those that teach something: shares of the traced rows are then shares of the run. Tensors: N decisions of a
batch, T of a row.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from backsight.distributed.ranks import ALONE, Ranks
from backsight.hindsight.catalogue import place_of
from backsight.policies.base import Policy
from backsight.profiling import Profile
from backsight.seeds import derive_seed
from backsight.traces import Alternative, Trace
from backsight.training.config import TrainingConfig
from backsight.training.dealing import deal
from backsight.training.frozen_scores import score_in_batches
from backsight.training.objective import has_signal
from backsight.training.weights import WeightedExample
from backsight.types import Decisions, Example, ScoreRequest

LARGEST_SHARE = 0.015
"""Share of a run's time above which no further step is traced."""
MOST_ROWS = 32
"""Most rows that are traced in a step, unless all are."""
NUM_ALTERNATIVES = 5


@dataclass(slots=True)
class _Row:
    """A row that is traced, and what has been seen of it so far."""

    example: Example
    decisions: Decisions
    push_T: Tensor
    pass_T: Tensor
    """The pull of the pass that goes on, which counts once its step is taken."""
    last_T: Tensor
    teacher_T: Tensor | None = None
    reference_T: Tensor | None = None


class Tracer:
    """A watcher of the rows of a step: `begin` before the update, `watch` in each of its passes, then `end`."""

    def __init__(self, policy: Policy, config: TrainingConfig, ranks: Ranks = ALONE) -> None:
        self.policy, self.config, self.ranks = policy, config, ranks
        self.seconds = 0.0
        """Time that tracing has taken so far."""
        self._rows: dict[Hashable, _Row] = {}
        self._pieces: dict[int, str] = {}

    def begin(self, step: int, examples: Sequence[Example], run_seconds: float, size: int, profile: Profile) -> None:
        """Choose the rows of a step, and measure them in micro-batches of `size` tokens before the policy changes.

        No row is chosen while tracing has had its share of the `run_seconds` so far.
        """
        self._rows = {}
        if self.config.trace == "off":
            return
        if self.config.trace == "sampled" and self.ranks.agree(self.seconds > LARGEST_SHARE * run_seconds):
            return
        started = time.monotonic()
        chosen = self._own(self._choose(step, examples), examples, size)
        request = ScoreRequest(entropy=True, top_k=NUM_ALTERNATIVES if self.policy.lists_actions else 0)
        for index, decisions in score_in_batches(self.policy, chosen, self.config.sampling, size, profile, request):
            example = chosen[index]
            nothing_T = torch.zeros(example.num_decisions)
            self._rows[_key(example)] = _Row(example, decisions, nothing_T, nothing_T, decisions.log_probs_N)
        self.seconds += time.monotonic() - started

    def watch(self, batch: Sequence[WeightedExample], log_probs_N: Tensor) -> None:
        """Note how the loss pulls at the traced rows of a micro-batch, whose log-probabilities these are."""
        if not self._rows:
            return
        lengths = [each.example.num_decisions for each in batch]
        watched = [
            (row, place) for place, each in enumerate(batch) if (row := self._rows.get(_key(each.example))) is not None
        ]
        if not watched:
            return
        for row, place in watched:
            scores = batch[place].scores
            row.last_T = log_probs_N.detach().split(lengths)[place].cpu()  # type: ignore[no-untyped-call]
            row.reference_T = scores.reference_T
            row.teacher_T = None if scores.target is None else scores.target.taken_N

        def note(gradient_N: Tensor) -> None:
            parts = gradient_N.split(lengths)  # type: ignore[no-untyped-call]
            for row, place in watched:
                row.pass_T = row.pass_T - parts[place].cpu()

        log_probs_N.register_hook(note)  # type: ignore[no-untyped-call]

    def clear(self) -> None:
        """Begin a pass, perhaps one that is done again: forget the pulls that were not kept."""
        for row in self._rows.values():
            row.pass_T = torch.zeros_like(row.push_T)

    def keep(self) -> None:
        """Count the pulls of the pass, because the optimizer took its step."""
        for row in self._rows.values():
            row.push_T = row.push_T + row.pass_T

    def end(self) -> list[Trace]:
        """Return what was seen in the step."""
        started = time.monotonic()
        traces = self.ranks.join([self._make(row) for row in self._rows.values()])
        self._rows = {}
        self.seconds += time.monotonic() - started
        return traces

    def _choose(self, step: int, examples: Sequence[Example]) -> list[Example]:
        if self.config.trace == "all":
            return list(examples)
        by_group: dict[int | None, list[Example]] = {}
        for place, example in enumerate(examples):
            key = example.trajectory and example.trajectory.key
            by_group.setdefault(key.group if key else -1 - place // MOST_ROWS, []).append(example)
        teaching = [own for own in by_group.values() if any(has_signal(each, self.config) for each in own)]
        if not teaching:
            return []
        return teaching[derive_seed(self.config.seed, "trace", step) % len(teaching)][:MOST_ROWS]

    def _own(self, chosen: list[Example], examples: Sequence[Example], size: int) -> list[Example]:
        """Return the chosen examples that this rank learns, because it sees how the loss pulls at them."""
        own = deal(self.policy, examples, size, self.ranks)
        learnt = {id(examples[index]) for index in own}
        return [each for each in chosen if id(each) in learnt]

    def _make(self, row: _Row) -> Trace:
        decisions = row.decisions
        assert decisions.entropy_N is not None
        return Trace(
            example=row.example,
            places=tuple(sorted({place_of(method) for method in row.example.method.split("+")})),
            pieces=tuple(piece for each in row.example.responses for piece in self.policy.pieces(each)),
            log_probs_T=decisions.log_probs_N,
            entropy_T=decisions.entropy_N,
            alternatives=self._alternatives(decisions),
            push_T=row.push_T,
            last_log_probs_T=row.last_T,
            teacher_T=row.teacher_T,
            reference_T=row.reference_T,
        )

    def _alternatives(self, decisions: Decisions) -> tuple[tuple[Alternative, ...], ...]:
        if decisions.support_NK is None or decisions.support_log_probs_NK is None:
            return ()
        supports = zip(decisions.support_NK.tolist(), decisions.support_log_probs_NK.tolist(), strict=True)
        return tuple(
            tuple(Alternative(self._piece(action), each) for action, each in zip(actions, log_probs, strict=True))
            for actions, log_probs in supports
        )

    def _piece(self, action: int) -> str:
        """Return the text of an action that was not taken."""
        if action not in self._pieces:
            self._pieces[action] = "".join(self.policy.pieces((action,)))
        return self._pieces[action]


def _key(example: Example) -> Hashable:
    """Return what tells a row from the others of its step, also where its other fields were replaced."""
    attempt = example.trajectory.key if example.trajectory is not None else None
    return id(example.prompts), id(example.responses), example.method, attempt
