"""Why a model changed: which attempts made an answer more or less likely, and what feedback says of each token."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from backsight.attribution.feedback import FeedbackEffect, feedback_effect
from backsight.attribution.influence import StepInfluences
from backsight.config import RunConfig, read_config
from backsight.errors import ConfigError, DataError
from backsight.policies.text import TextPolicy
from backsight.presets.base import make_task
from backsight.reports.run_folder import RunReader
from backsight.runs.replay import Replay, replay
from backsight.runs.start import begin, load_policy
from backsight.runs.talk import AnswerOptions, Talker
from backsight.types import Action, Example, Feedback, Observation, Step, Trajectory

CHANGED = "came out otherwise than the run folder has it: a judge, an environment or a library has changed since"


@dataclass(frozen=True, slots=True)
class RowInfluence:
    """What a step owes to one row that it learnt from."""

    step: int
    effect: float
    """Change of the answer's log-probability, in nats."""
    method: str
    attempt: tuple[int, int] | None
    """Numbers of group and attempt in the step; None for a row that came from no attempt."""
    prompt: Observation
    response: str
    reward: float | None
    feedback: str | None
    """What was said of the attempt; None if nothing was."""
    sources: tuple[str, ...]
    """Who said it."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The rows that changed the log-probability of something, over the steps that could be made again."""

    what: str
    steps: Mapping[int, float]
    """Sum of the effects of all rows, by step."""
    rows: Sequence[RowInfluence]
    """The rows, those with the largest effects first."""
    notes: Sequence[str] = field(default=())

    def by(self, name: str) -> dict[str, float]:
        """Return the sum of the effects by ``method`` or by ``sources``, the largest first."""
        sums: defaultdict[str, float] = defaultdict(float)
        for row in self.rows:
            value = getattr(row, name)
            sums[", ".join(value) or "nobody" if isinstance(value, tuple) else value] += row.effect
        return dict(sorted(sums.items(), key=lambda each: -abs(each[1])))

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "by_method": self.by("method"), "by_source": self.by("sources")}


def explain_answer(folder: Path, prompt: str, completion: str, steps: Sequence[int] | None = None) -> Explanation:
    """Find the rows of a run that made a completion of a prompt more or less likely; see `explain`'s module.

    Raises:
        BacksightError: when the folder is no run, a step cannot be made again, or prompt or completion do not fit.
    """
    if not completion.strip():
        raise DataError("completion", completion, "is empty; write the answer that is to be explained")

    def answers(of: Replay) -> tuple[list[Example], list[float]]:
        policy = of.trainer.policy
        assert isinstance(policy, TextPolicy)
        asked = _talker(policy, read_config(RunReader(folder).config)).check_prompt(prompt)
        return [Example((asked,), (policy.encode(completion),), "explain")], [1.0]

    return _explain(folder, f"{completion!r} as answer to {prompt!r}", answers, steps)


def explain_held_out(
    folder: Path, split: str, steps: Sequence[int] | None = None, num_items: int = 16, num_samples: int = 4
) -> Explanation:
    """Find the rows of a run that made what is rewarded on held-out items more or less likely.

    At each step the policy from before it answers the items several times; what is explained is the mean of the
    answers' log-probabilities, each weighted by its reward less the item's mean: the direction in which plain
    reinforcement learning on these items would go.

    Raises:
        BacksightError: when the folder is no run, a step cannot be made again, or there is no such split.
    """
    config = read_config(RunReader(folder).config)
    task = make_task(config)
    if split not in task.eval_splits:
        raise ConfigError("held_out", split, f"no such split; there are {', '.join(task.eval_splits)}")

    def answers(of: Replay) -> tuple[list[Example], list[float]]:
        policy = of.trainer.policy
        assert isinstance(policy, TextPolicy)
        parts = begin(config, task, policy, splits=[split])
        found, weights = list[Example](), list[float]()
        for attempts in parts.evaluate([split], num_items, num_samples)[split].attempts:
            scored = [each for each in attempts if each.is_scored]
            mean = fmean(each.total_reward for each in scored) if scored else 0.0
            found += [Example(each.prompts, each.responses, "explain") for each in scored]
            weights += [(each.total_reward - mean) / (num_items * num_samples) for each in scored]
        return found, weights

    return _explain(folder, f"what is rewarded on {split}", answers, steps)


def explain_attempt(
    folder: Path, step: int, group: int, attempt: int, said: str | None = None, policy: str | None = None
) -> tuple[list[str], FeedbackEffect]:
    """Measure which tokens of a traced attempt its feedback speaks for or against, or other words that are `said`.

    The policy that is asked is the trained one, or the one at `policy`. Returns the attempt's tokens as text, and the
    effect on each.

    Raises:
        BacksightError: when the attempt was not traced, nothing was said of it, or the policy does not load.
    """
    reader = RunReader(folder)
    config = read_config(reader.config)
    row = find_trace(reader, step, group, attempt)
    reads = load_policy(policy or str(folder), labels=None)
    reads.chat_template_kwargs = config.chat_template_kwargs
    trajectory = _trajectory(row)
    return list(row["pieces"]), feedback_effect(reads, trajectory, config.sampling, said=said)


def find_trace(reader: RunReader, step: int, group: int, attempt: int) -> dict[str, Any]:
    """Return the traced row of an attempt as it was sampled.

    Raises:
        ConfigError: when it was not traced.
    """
    rows = [each for each in reader.traces.read(step) if each["behaviour"] is not None or each["said"] is None]
    known = {(each["group"], each["attempt"]): each for each in reversed(rows) if each["group"] is not None}
    if (group, attempt) in known:
        return known[group, attempt]
    there = ", ".join(f"{step}/{one}/{two}" for one, two in sorted(known))
    steps = ", ".join(map(str, reader.traces.steps())) or "none; train with trace=sampled"
    remedy = f"was not traced; of this step there are {there}" if there else f"no such step; traced are {steps}"
    raise ConfigError("attempt", f"{step}/{group}/{attempt}", remedy)


def _trajectory(row: Mapping[str, Any]) -> Trajectory:
    """Return the attempt of a traced row, as far as its feedback and its responses are concerned."""
    told = {name: value for name, value in row["feedback"].items() if name in ("text", "correction", "outcome")}
    first, steps = 0, list[Step]()
    for prompt, response, count in zip(row["asked"] or row["prompts"], row["responses"], row["turns"], strict=True):
        text = "".join(row["pieces"][first : first + count])
        steps.append(Step(prompt, Action(tuple(response), torch.zeros(count), text)))
        first += count
    return Trajectory(None, tuple(steps), Feedback(**told))


Answers = Callable[[Replay], tuple[list[Example], list[float]]]
"""A function from a step to the answers whose log-probabilities are explained, and the weight of each."""


def _explain(folder: Path, what: str, answers: Answers, steps: Sequence[int] | None) -> Explanation:
    sums, rows, notes = dict[int, float](), list[RowInfluence](), list[str]()
    for again in replay(folder, steps):
        if not again.is_the_same:
            notes.append(f"step {again.step} {CHANGED}")
        wanted, weights = answers(again)
        influences = StepInfluences(again.trainer, again.examples)
        effects_R = torch.tensor(weights) @ influences.influences(wanted)
        named = [
            _describe(again, each.example, effect)
            for each, effect in zip(influences.rows, effects_R.tolist(), strict=True)
        ]
        sums[again.step] = sum(each.effect for each in named)
        rows += named
    if not sums:
        notes.append("no step can be made again; train with save_steps and save_total_limit to keep checkpoints")
    return Explanation(what, sums, sorted(rows, key=lambda each: -abs(each.effect)), notes)


def _describe(of: Replay, example: Example, effect: float) -> RowInfluence:
    attempt = example.trajectory
    told = None if attempt is None else attempt.feedback
    policy = of.trainer.policy
    return RowInfluence(
        step=of.step,
        effect=effect,
        method=example.method,
        attempt=None if attempt is None or attempt.key is None else (attempt.key.group, attempt.key.attempt),
        prompt=example.prompts[0],
        response="\n".join("".join(policy.pieces(each)) for each in example.responses),
        reward=attempt.total_reward if attempt is not None and attempt.is_scored else None,
        feedback=None if told is None else told.text or told.correction or told.outcome,
        sources=() if told is None else told.sources,
    )


def _talker(policy: TextPolicy, config: RunConfig) -> Talker:
    """Return what makes prompts as people write them to this policy."""
    options = AnswerOptions(system=config.system_prompt, temperature=0.0, max_tokens=None, seed=0)
    return Talker(policy, options)
