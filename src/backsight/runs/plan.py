"""The plan of a run: memory, time and disk before it begins, measured where its machine is this one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from backsight.config import RunConfig, dump_config
from backsight.errors import ConfigError
from backsight.planning.assembly import (
    highest_peak,
    load_grown,
    measured_load,
    memory_measured,
    peak_of_decoding,
    per_prompt,
    rehearsed,
    seconds_measured,
    whole_steps,
    with_full_step,
)
from backsight.planning.duration import Tokens, computed_seconds, steps_until
from backsight.planning.machines import Machine, find_machine
from backsight.planning.measuring import FEW_LAYERS, OUT_OF_MEMORY, Measured, measure
from backsight.planning.memory import Load, Memory, ModelSize, memory_of
from backsight.planning.remedies import Remedy, advice, remedies
from backsight.planning.storage import Written, disk_of
from backsight.policies import footprint
from backsight.runs.fitting import copies_of, static_load
from backsight.training.tracing import LARGEST_SHARE

MODULE = "backsight.runs.rehearsal"
SECONDS = 42
"""Time of a rehearsal, from its process's start; the plan is there in a minute."""
PATIENCE = 4
"""How many times as long a rehearsal may take, where a step turns out slower than it was thought to be."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will take. Sizes are in bytes, times in seconds."""

    how: str
    """How it was found out, in words."""
    size: ModelSize
    memory: Memory
    peak: float
    """The most memory that is held at once."""
    available: float | None
    """Memory that there is; None where the system does not say."""
    seconds: dict[str, float]
    """Seconds of a step by phase."""
    steps: int | None
    """Steps until the run stops; None where only scores end it."""
    ends_by: str | None
    """The budget that ends it."""
    attempts: float
    """Attempts of a step."""
    tokens: float
    """Tokens sampled in a step."""
    evaluations: int
    evaluation_seconds: float
    """Seconds of one evaluation."""
    disk: dict[str, float]
    remedies: list[Remedy] = field(default_factory=list)
    advice: str | None = None
    """Cheapest settings that fit, in words; None where the run fits as it is."""
    notes: list[str] = field(default_factory=list)

    @property
    def step_seconds(self) -> float:
        return sum(self.seconds.values())

    @property
    def total_seconds(self) -> float | None:
        """Seconds until the run stops, with its evaluations; None where only scores end it."""
        if self.steps is None:
            return None
        return self.steps * self.step_seconds + self.evaluations * self.evaluation_seconds

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {**asdict(self), "step_seconds": self.step_seconds, "total_seconds": self.total_seconds}


def plan(config: RunConfig, machine: str | None = None) -> Plan:
    """Plan a run: measure it in a process of its own, or compute it for a machine by name.

    Raises:
        BacksightError: when the machine is not known, or the model, the data or a setting does not fit.
    """
    other = None if machine is None else find_machine(machine)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(dump_config(config), encoding="utf-8")
        measured = measure(MODULE, [str(path), "", str(SECONDS)], PATIENCE * SECONDS)
        cause = measured.ending
        if not rehearsed(measured):
            measured = measure(MODULE, [str(path), ",".join(map(str, FEW_LAYERS)), str(SECONDS)], PATIENCE * SECONDS)
    return _Planning(config, measured, cause).plan(other)


class _Planning:
    """What is known of a run, and the plan that is made of it."""

    def __init__(self, config: RunConfig, measured: Measured, cause: str | None) -> None:
        """Take what was measured; `cause` says why an earlier attempt to measure more has failed, if it did."""
        self.config, self.measured, self.cause = config, measured, cause
        paper = measured.last("paper")
        if paper is None:
            remedy = "not even a small part of the run could be measured; stop other programs, or take a smaller model"
            raise ConfigError("plan", measured.ending or cause or "nothing measured", remedy)
        self.size, self.depth = ModelSize(**paper["size"]), int(paper["depth"])
        self.of_adapter = int(paper["of_adapter"])
        if paper["has_adapter"]:
            more = self.of_adapter
            self.size = replace(self.size, num_weights=self.size.num_weights + more, num_trained=more)
        self.found = rehearsed(measured)
        if not self.found:
            raise ConfigError(
                "plan", measured.ending or "nothing measured", "no step could be measured; see micro_batch_size"
            )
        self.has_full_step = not all(each["is_small"] for each in self.found[-1].steps)
        if not self.has_full_step:
            self.found[-1] = with_full_step(self.found[-1], config.num_generations, config.max_completion_length)

    def plan(self, machine: Machine | None) -> Plan:
        """Return the plan for this machine, or for another one by arithmetic on its published figures."""
        last, config = self.found[-1], self.config
        load = self._load(machine)
        size = self.size if last.layers is not None or machine is not None else last.size
        if machine is None:
            memory, peak = self._memory(load)
            seconds = seconds_measured(last, size, config.prompts_per_step)
            available = footprint.available_bytes(torch.device("cuda" if load.on_gpu else "cpu"))
        else:
            memory = memory_of(size, load)
            peak, available = memory.peak, int(machine.memory_bytes)
            seconds = self._computed(size, machine)
        attempts, tokens = (config.prompts_per_step * per_prompt(last.steps, name) for name in ("attempts", "tokens"))
        ending = steps_until(config.stop, attempts, tokens, sum(seconds.values()))
        steps = None if ending is None else ending[0]
        evaluations = 2 + ((steps or 0) // config.eval_steps if config.eval_steps else 0)
        return Plan(
            how=self._how(machine),
            size=size,
            memory=memory,
            peak=peak,
            available=None if available is None else float(available),
            seconds=seconds,
            steps=steps,
            ends_by=None if ending is None else ending[1],
            attempts=attempts,
            tokens=tokens,
            evaluations=evaluations,
            evaluation_seconds=self._evaluation_seconds(seconds, size, machine),
            disk=self._disk(size, steps or 1, attempts, evaluations),
            remedies=remedies(size, load, self.of_adapter),
            advice=advice(size, load, self.of_adapter, available),
            notes=list(self._notes()),
        )

    def _load(self, machine: Machine | None) -> Load:
        config, last = self.config, self.found[-1]
        load = static_load(config, on_gpu=torch.cuda.is_available() if machine is None else machine.is_gpu)
        measuring = replace(load, on_gpu=torch.cuda.is_available())
        if last.layers is None:
            found = measured_load(last, measuring)
        else:
            found = load_grown(self.found[0], last, measuring, self.size)
        if machine is not None:
            # what a token leaves behind was measured in the precision of this machine, which is the run's own
            found = replace(found, on_gpu=machine.is_gpu)
        return found

    def _memory(self, load: Load) -> tuple[Memory, float]:
        last = self.found[-1]
        if last.layers is not None:
            memory = memory_of(self.size, load)
            return memory, memory.peak
        memory = memory_measured(last, load)
        decoding = peak_of_decoding(last.steps, self.config.prompts_per_step)
        return memory, max(memory.peak, decoding, highest_peak(self.measured))

    def _computed(self, size: ModelSize, machine: Machine) -> dict[str, float]:
        return computed_seconds(size, self._tokens(), machine, bf16=self.config.bf16)

    def _tokens(self) -> Tokens:
        """Return the tokens of a step."""
        last, prompts = self.found[-1], self.config.prompts_per_step
        return Tokens(
            prompt=per_prompt(last.steps, "read") * prompts,
            learnt=per_prompt(last.steps, "learnt") * prompts,
            longest=max(each["longest"] for each in whole_steps(last.steps)),
            rows=per_prompt(last.steps, "attempts") * prompts,
        )

    def _evaluation_seconds(self, seconds: Mapping[str, float], size: ModelSize, machine: Machine | None) -> float:
        """Return the time of one evaluation: sampling once at each item, and no learning."""
        last, config = self.found[-1], self.config
        if last.decoding is None:
            return 0.0
        items = float(last.decoding["evaluated"])
        if machine is not None:
            tokens = self._tokens()
            read = tokens.prompt / config.prompts_per_step * items
            computed = computed_seconds(size, Tokens(read, 0.0, tokens.longest, items), machine, bf16=config.bf16)
            return computed["decode"] + computed["prefill"]
        groups = items / max(1, config.num_generations)
        sampling = seconds_measured(last, self.size, max(1, round(groups))).get("decode", 0.0)
        reading = seconds.get("prefill", 0.0) / config.prompts_per_step * items
        return sampling + reading

    def _disk(self, size: ModelSize, steps: int, attempts: float, evaluations: int) -> dict[str, float]:
        sizes, last = self.measured.last("sizes") or {"an_attempt": 0.0}, self.found[-1]
        a_step = per_prompt(last.steps, "learnt")
        # one group is traced in one forward pass, as often as that is a small share of the time
        affordable = 1 + LARGEST_SHARE * steps * self.config.prompts_per_step
        often = {"off": 0.0, "all": float(steps * self.config.prompts_per_step)}
        traced = a_step * often.get(self.config.trace, min(steps, affordable))
        answered = evaluations * (last.decoding["evaluated"] if last.decoding else 0)
        written = Written(sizes["an_attempt"], attempts * steps, traced, answered)
        return disk_of(size, self.config, copies_of(self.config), steps, written)

    def _how(self, machine: Machine | None) -> str:
        """Say how the figures were found out."""
        last = self.found[-1]
        if last.layers is None:
            measured = "measured in a rehearsal of the run"
        else:
            few = " and ".join(str(each.layers) for each in self.found)
            measured = f"measured with {few} of {self.depth} layers, and multiplied"
        if machine is None:
            return measured
        return f"computed from published figures ({machine.source}); lengths and bytes a token {measured}"

    def _notes(self) -> Iterator[str]:
        last, config = self.found[-1], self.config
        if self.cause == OUT_OF_MEMORY:
            yield "memory ran out in a rehearsal of the whole run, which was measured smaller then"
        elif self.measured.ending is not None:
            yield f"{self.measured.ending} in the rehearsal; what it had measured until then is used"
        steps = whole_steps(last.steps)
        if not self.has_full_step:
            yield "there was no time for a step of full length; its time is computed from that of a few tokens"
        most = max(each["prompts"] for each in steps)
        if most < config.prompts_per_step:
            yield f"steps of up to {most:g} of {config.prompts_per_step} prompts were measured; the rest is arithmetic"
        if last.learnt and (share := max(each["share"] for each in last.learnt)) < 1:
            yield f"{share:.0%} of the largest micro-batch was measured; the rest is arithmetic"
        rows, taught = (sum(each[name] for each in steps) for name in ("examples", "with_signal"))
        if taught < 0.5 * rows:
            yield f"{taught} of {rows} rows taught something at the start; a step takes longer when more of them do"
        if config.max_staleness:
            yield "max_staleness: sampling and learning are added up, as on a machine that is busy with either"
