"""A rehearsal of a run, in a process of its own: `python -m backsight.runs.rehearsal CONFIG LAYERS SECONDS`.

It makes everything that the run makes, takes steps of growing size with the run's own code, and learns one micro-batch
of the largest size there can be. Whatever it measures it tells at once, one reading a line: `planning/measuring.py`.
Nothing is written but into a temporary folder. A model too large to be run as it is has all but a few layers left out,
and is measured with two numbers of them.
"""

from __future__ import annotations

import gc
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from backsight.config import RunConfig, dump_config, read_config
from backsight.errors import BacksightError
from backsight.feedback.asking import patience
from backsight.planning.measuring import FEW_LAYERS, MemoryGauge, Teller, go_first
from backsight.planning.memory import size_of, weights_of_adapter
from backsight.policies import adapters, footprint
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.policies.config import AdapterConfig
from backsight.policies.shortened import depth_of, on_paper, open_shortened
from backsight.policies.text import LanguageModelPolicy, TextPolicy
from backsight.presets.base import make_task
from backsight.reports.run_folder import TRAJECTORIES, Recorder
from backsight.rollouts.decoding.language_model import LanguageModelEngine
from backsight.runs.finetune import make_trainer
from backsight.runs.start import RunParts, begin, place_of_policy
from backsight.tasks.base import Task, draw_items
from backsight.training.metrics import PHASES
from backsight.training.objective import has_signal, micro_batch_loss
from backsight.training.progress import draw_starts
from backsight.training.trainer import Trainer
from backsight.training.update import take_step
from backsight.types import Example, Group, Observation

CALM = {"learning_rate": 1e-9, "max_staleness": 0, "trace": "off"}
"""Settings of a rehearsal: the policy stays what it is, one thing is done at a time, and nothing is watched."""
LARGEST_WHOLE = 500_000_000
"""Most weights of a model that is loaded and run as it is."""
SHARE_OF_SECOND = 0.6
"""Share of the time with the first number of layers that the second one takes at most."""
MOST_REPEATS = 5
"""Most whole steps that are measured."""
FEW, SHORT = 2, 8
"""Attempts of a first, small step, and their tokens."""
SHARE_FOR_STEP = 0.6
"""Share of the time that is left for which a step on one prompt may go on."""
SMALL_SHARE = 0.125
"""Share of the largest micro-batch that is learnt first."""
BURST = 6
"""Tokens of a burst, which shows how decoding slows down with more rows."""
MOST_IN_A_BURST = 8
"""Most prompts of a burst."""
SHARE_FOR_LARGEST = 0.4
"""Share of the time that is left for which the largest micro-batch may be learnt."""


class Rehearsal:
    """The parts of one run, and what is measured of them."""

    def __init__(self, parts: RunParts, teller: Teller, until: float) -> None:
        """Make the trainer of the run; `until` are the teller's seconds at which the rehearsal has to be over."""
        self.config, self.parts, self.teller, self.until = parts.config, parts, teller, until
        self.trainer: Trainer = make_trainer(parts)
        self.gauge = MemoryGauge(self.trainer.meter.device)
        self.num_generations = self.trainer.num_generations
        self.decode_seconds = 0.0
        """Seconds of a token of all rows, in the small step."""
        self.largest_tokens = self.config.micro_batch_size
        """Tokens of the largest micro-batch; at first a guess."""
        self.examples: list[Example] = []
        """Examples of the newest step."""
        self.rate = self.trainer.meter.rate / (12 * self.trainer.meter.num_weights)
        """Tokens that are learnt in a second: at first a guess by the rate of products, half of which is reached."""

    def begin(self) -> None:
        """Measure a small step and a small micro-batch."""
        self.step(1, is_small=True)
        self.tell_decoding()
        if isinstance(self.parts.policy, CausalLMPolicy):
            self.parts.policy.anatomy.try_once()
        self.learn(0.0)
        self.learn(SMALL_SHARE)

    def go_on(self) -> None:
        """Measure micro-batches up to the largest, and steps as large as there is time for."""
        prompts = self.config.prompts_per_step
        if self.decode_seconds * self.config.max_completion_length > self.time_left:
            self.tell_bursts(min(prompts, MOST_IN_A_BURST))
            return
        seconds = self.step(1, attempts=self._affordable_attempts())
        share = SMALL_SHARE
        while share < 1 and (larger := min(1.0, self._affordable_share())) >= min(1.0, 2 * share):
            share = larger  # a larger part is learnt at a higher rate, so that the next one may be larger still
            self.learn(share)
        affordable = int(min(prompts, max(1.0, self.time_left / max(seconds, 1e-3))))
        if affordable == 1 < prompts:
            self.tell_bursts(min(prompts, MOST_IN_A_BURST))
        for number in range(MOST_REPEATS):
            if affordable < prompts and number or self.time_left < seconds:
                break
            seconds = self.step(affordable)

    @property
    def time_left(self) -> float:
        return self.until - self.teller.seconds

    def _affordable_share(self) -> float:
        """Return the share of the largest micro-batch that there is time to learn."""
        return SHARE_FOR_LARGEST * self.time_left * self.rate / self.largest_tokens

    def _affordable_attempts(self) -> int:
        """Return how many attempts at a prompt there is time for, by what the small step has taken.

        Decoding takes as long for each token as it did, whatever the number of rows.
        """
        length, count = self.config.max_completion_length, self.num_generations
        decoding = self.decode_seconds * length
        learning = count * length / self.rate
        share = (SHARE_FOR_STEP * self.time_left - decoding) / max(1e-3, learning)
        return max(min(FEW, count), min(count, int(count * share)))

    def step(self, num_prompts: int, *, attempts: int | None = None, is_small: bool = False) -> float:
        """Take a training step on so many prompts, tell what it took, and return its seconds.

        With fewer `attempts` at a prompt, it counts as a step on a part of a prompt. A small one has few attempts, and
        short ones: it is there for what is done once in a process.
        """
        trainer, gauge = self.trainer, self.gauge
        changes: dict[str, Any] = {"prompts_per_step": num_prompts}
        trainer.num_generations = self.num_generations if attempts is None else attempts
        if is_small:
            changes["max_completion_length"] = min(SHORT, self.config.max_completion_length)
            trainer.num_generations = min(FEW, self.num_generations)
        trainer.config = self.config.model_copy(update=changes)
        trainer.take_profile()
        torch.manual_seed(self.config.seed)
        began, _, peaks = self.teller.seconds, gauge.begin(), dict[str, int]()
        judged = trainer.reveal(trainer.collect())
        peaks["decoding"] = gauge.peak()
        gauge.begin()
        self.examples, groups, _ = trainer.look_back(judged)
        trainer.update(self.examples, groups)
        peaks["learning"] = gauge.peak()
        seconds, profile = self.teller.seconds - began, trainer.take_profile()
        trainer.progress.step += 1
        if is_small:
            self.decode_seconds = profile.seconds["decode"] / min(SHORT, self.config.max_completion_length)
        if profile.tokens["backward"]:
            self.rate = profile.tokens["backward"] / (profile.seconds["forward"] + profile.seconds["backward"])
        spent = {phase: profile.seconds[phase] for phase in PHASES if profile.seconds[phase]}
        sampled = [each for group in groups for each in group.trajectories]
        learnt = [each for each in self.examples if has_signal(each, self.config)]
        cuts = trainer.policy.micro_batches(learnt, self.config.micro_batch_size) if learnt else []
        share = trainer.num_generations / self.num_generations if self.num_generations else 1.0
        longest = max((each.num_decisions for each in sampled), default=0)
        self.teller.tell(
            "step",
            {
                "prompts": num_prompts * share,
                "is_small": is_small,
                "seconds": {**spent, "rest": max(0.0, seconds - sum(spent.values()))},
                "attempts": len(sampled) + trainer.scorer.extra_attempts or max(len(groups), len(self.examples)),
                "tokens": sum(each.num_decisions for each in sampled),
                "read": profile.tokens["prefill"],
                "learnt": profile.tokens["backward"],
                "micro_batches": len(cuts),
                "longest": longest,
                "cut_off": sum(each.is_unfinished for each in sampled),
                "examples": len(self.examples),
                "with_signal": len(learnt),
                "peaks": peaks,
                "rows": self._cached([each.steps[-1].observation for each in sampled], longest),
            },
        )
        if not is_small:
            self._tell_sizes(groups)
        return seconds / share

    def _cached(self, observations: Sequence[Observation], length: int) -> tuple[int, int]:
        """Return the rows that are decoded together, and their bytes of keys and values with completions so long."""
        engine = self.parts.engine
        if not observations or not isinstance(engine, LanguageModelEngine):
            return len(observations), 0
        return engine.most_cached(observations, replace(self.config.sampling, max_completion_length=max(1, length)))

    def tell_decoding(self) -> None:
        """Tell the most rows that are decoded together, and their keys and values, in a step and in an evaluation."""
        task, config = self.parts.task, self.config
        prompts = [prompt for start in self._starts() if (prompt := _prompt(start)) is not None]
        rounds = [prompts * max(1, self.num_generations)]
        rounds += [
            [prompt for item in draw_items(task.items(split), config.eval_items) if (prompt := _prompt(item))]
            for split in task.eval_splits
        ]
        found = [self._cached(each, config.max_completion_length) for each in rounds]
        rows, num_bytes = max(found, key=lambda each: each[1])
        self.teller.tell("decoding", {"rows": rows, "bytes": num_bytes, "evaluated": sum(map(len, rounds[1:]))})

    def tell_bursts(self, most_prompts: int) -> None:
        """Tell how long a few tokens take at the attempts of one prompt, and of several."""
        trainer, sampling = self.trainer, replace(self.config.sampling, max_completion_length=BURST)
        prompts = [prompt for start in self._starts() if (prompt := _prompt(start)) is not None]
        for count in (1, most_prompts):
            observations = prompts[:count] * max(1, self.num_generations)
            trainer.take_profile()
            for _ in self.parts.engine.act(observations, sampling, range(len(observations))):
                pass
            spent = trainer.take_profile().seconds
            self.teller.tell("burst", {"prompts": count, **{phase: spent[phase] for phase in ("decode", "prefill")}})

    def _starts(self) -> list[Any]:
        """Return the starts of the first step of the run."""
        starts = self.trainer.source.starts
        return draw_starts(starts, 0, self.config.prompts_per_step, self.config.seed)

    def _tell_sizes(self, groups: Sequence[Group]) -> None:
        """Tell how many bytes the run folder takes for an attempt."""
        count = sum(len(group.trajectories) for group in groups)
        with tempfile.TemporaryDirectory() as folder:
            recorder = Recorder.create(Path(folder), None, "rehearsal", dump_config(self.config))
            recorder.add_trajectories(1, groups)
            written = (recorder.folder / TRAJECTORIES).stat().st_size
        self.teller.tell("sizes", {"an_attempt": written / max(1, count)})

    def learn(self, share: float) -> None:
        """Learn a share of the largest micro-batch that a step can have, one row at least, behind other gradients."""
        trainer, rows = self.trainer, self._largest_rows()
        cuts = trainer.policy.micro_batches(rows, self.config.micro_batch_size) if rows else []
        if not cuts:
            return
        cut = max(cuts, key=lambda each: sum(_length(rows[index]) for index in each))
        largest = [rows[index] for index in cut][: max(1, int(len(cut) * share))]
        weighted = self.trainer.weigh(largest)
        if not weighted:
            return
        if not trainer.optimizer.state:  # nothing had taught anything so far
            take_step(trainer.policy, weighted[-1:], trainer.optimizer, self.config, trainer.update_state)
        micro_batch_loss(trainer.policy, weighted[-1:], self.config)[0].backward()  # type: ignore[no-untyped-call]
        if len(cuts) == 1:  # where one is all, it meets no gradients of those before it
            trainer.optimizer.zero_grad(set_to_none=True)
        self.gauge.begin()
        began = self.teller.seconds
        loss, _, decisions = micro_batch_loss(trainer.policy, weighted, self.config)
        loss.backward()  # type: ignore[no-untyped-call]
        seconds = self.teller.seconds - began
        self.rate = max(self.rate, decisions.num_tokens / max(1e-3, seconds))
        reached = len(largest) / len(cut)
        self.largest_tokens = max(1, round(decisions.num_tokens / reached))
        found = {"tokens": decisions.num_tokens, "share": reached, "seconds": seconds}
        self.teller.tell("learnt", {**found, "peak": self.gauge.peak()})
        trainer.optimizer.zero_grad(set_to_none=True)

    def _largest_rows(self) -> list[Example]:
        """Return rows like those of the newest step, for the prompts of a whole step.

        Responses have their full length, and each prompt as many of them as there are attempts.
        """
        full = self.examples * max(1, self.num_generations // max(1, self.trainer.num_generations))
        if isinstance(self.parts.policy, LanguageModelPolicy):
            full = [lengthened(each, self.config.max_completion_length) for each in full]
        rows: list[Example] = []
        prompts = iter(filter(None, map(_prompt, self._starts() * len(full))))
        for _ in range(self.config.prompts_per_step):
            if not full or sum(map(_length, rows)) > 2 * self.config.micro_batch_size:
                break
            rows += _asked_otherwise(full, prompts)
        return rows


def lengthened(example: Example, length: int) -> Example:
    """Return the example with responses of so many tokens, the same ones again and again, all of which are learnt."""
    responses = tuple((each * length)[:length] if each else each for each in example.responses)
    count = sum(map(len, responses))

    def ones(weights: torch.Tensor | None) -> torch.Tensor | None:
        return None if weights is None else torch.ones(count)

    return replace(
        example,
        responses=responses,
        advantages=ones(example.advantages),
        behaviour_log_probs=None if example.behaviour_log_probs is None else -torch.ones(count),
        imitation_weights=ones(example.imitation_weights),
        teacher_weights=ones(example.teacher_weights),
        trajectory=None,
    )


def _asked_otherwise(rows: Sequence[Example], prompts: Iterator[Observation]) -> list[Example]:
    """Return the rows with other prompts, those that share one still sharing one; episodes keep theirs."""
    others: dict[str, Observation] = {}
    asked = []
    for each in rows:
        if len(each.prompts) > 1:
            asked.append(each)
            continue
        key = repr(each.prompts)
        if key not in others:
            others[key] = next(prompts, each.prompts[0])
        asked.append(replace(each, prompts=(others[key],)))
    return asked


def _prompt(start: object) -> Observation | None:
    """Return the prompt of a task's item; None for what has none, such as the seed of an environment."""
    return getattr(start, "prompt", None)


def _length(example: Example) -> int:
    return max(1, example.num_decisions)


def rehearse(config: RunConfig, teller: Teller, until: float, layers: Sequence[int]) -> None:
    """Measure a run until the teller's seconds are `until`; with `layers`, on models of so many layers each."""
    gauge = MemoryGauge(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    teller.tell("started", {"held": gauge.held()})
    task = make_task(config)
    path = place_of_policy(config.policy)
    paper = on_paper(path, task.labels, config.trust_remote_code)
    adapter = _adapter_of(paper, config, gauge.device)
    rank = AdapterConfig().r if adapter is None else adapter.r
    paper_size = asdict(size_of(paper))
    values = {"size": paper_size, "of_adapter": weights_of_adapter(paper, rank), "depth": depth_of(paper.config)}
    teller.tell("paper", {**values, "has_adapter": adapter is not None})
    if not layers and paper_size["num_weights"] > LARGEST_WHOLE:
        layers = FEW_LAYERS
    del paper
    config = config.model_copy(update={"adapter": adapter, **CALM})
    began = teller.seconds
    for number, count in enumerate(layers or [None]):
        if number and until - teller.seconds < SHARE_OF_SECOND * (teller.seconds - began):
            break
        gauge.begin()
        policy = None if count is None else _shortened(path, count, config, task)
        with patience(config.reward_timeout):
            parts = begin(config, task, policy)
            teller.tell("opened", _opened(parts, gauge, count))
            rehearsal = Rehearsal(parts, teller, until)
            rehearsal.begin()
            if number == 0:
                rehearsal.go_on()
        del policy, parts, rehearsal
        gc.collect()


def _opened(parts: RunParts, gauge: MemoryGauge, layers: int | None) -> dict[str, Any]:
    """Return what is known of the policy when it is open."""
    size = asdict(size_of(parts.policy.model))
    held = sum(each.numel() * each.element_size() for each in parts.policy.module.parameters())
    return {"layers": layers, "size": size, "weights": held, "held": gauge.held(), "peak": gauge.peak()}


def _adapter_of(paper: Any, config: RunConfig, device: torch.device) -> AdapterConfig | None:
    """Return the adapter that the run will have, also where the size of the model decides that."""
    if config.adapter is None or not config.adapter.is_left_open:
        return config.adapter
    cause = footprint.why_too_large(paper, footprint.available_bytes(device), is_loaded=False)
    return None if cause is None else AdapterConfig()


def _shortened(path: str, layers: int, config: RunConfig, task: Task) -> TextPolicy:
    policy = open_shortened(path, layers, task.labels, config.trust_remote_code)
    policy.chat_template_kwargs = config.chat_template_kwargs
    if config.adapter is not None:
        adapters.put_on(policy.model, config.adapter.model_copy(update={"quantize": False}))
    return policy


def main() -> None:
    """Rehearse the run that the words of this process name."""
    path, layers, seconds = sys.argv[1:]
    teller = Teller.of_process()
    go_first()
    try:
        rehearse(read_config(Path(path)), teller, float(seconds), [int(each) for each in layers.split(",") if each])
    except BacksightError as error:
        teller.tell_error(error)


if __name__ == "__main__":
    main()
