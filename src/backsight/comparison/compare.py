"""Several methods on the same task, from the same model, with the same budget: what `backsight compare` does."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from backsight.assessment import GENERAL_TEXT, LOG_PROBABILITY
from backsight.comparison.folder import (
    BEFORE,
    PAGE,
    REPORT,
    RESULTS,
    RUNS,
    checkpoint_in,
    open_folder,
    read_json,
    save_json,
)
from backsight.comparison.report import report_of
from backsight.comparison.request import Request, requested
from backsight.comparison.results import ComparisonResult, ItemScores, RunRecord, summarized, unfinished
from backsight.config import RunConfig
from backsight.errors import BacksightError
from backsight.evaluation.forgetting import pieces_of, read_text, text_log_probs
from backsight.feedback.base import FeedbackSource
from backsight.finetuning import configured, load_policy
from backsight.hindsight.config import samples
from backsight.policies.text import TextPolicy
from backsight.reports.files import write_whole
from backsight.reports.markdown import markdown
from backsight.reports.page import page
from backsight.reports.reader import RunReader
from backsight.session import Evaluation, Result, Session, evaluated
from backsight.tasks.base import Task
from backsight.training.config import StopConfig

OUTPUT_DIR = "comparisons"


def compare(
    policy: str,
    task: str | Task,
    methods: Sequence[Any],
    *,
    seeds: int = 3,
    general_text: Path | None = None,
    feedback: FeedbackSource | None = None,
    show_progress: bool = True,
    **settings: Any,
) -> ComparisonResult:
    """Train `policy` with each method and seed, and report what came of it, in the folder `comparisons/NAME`.

    `methods` are names, or whatever else `hindsight` may be; the settings are those of `RunConfig`, for all methods.
    `stop` is the budget of each run, in place of the preset's. `run_name` is NAME; called again with the same name and
    arguments, a comparison that was cut off goes on. `feedback` replaces the task's own judge.

        backsight.compare("pocket", "instructions", ["sft", "outcome", "relabel"], stop={"max_attempts": 20_000})

    Raises:
        BacksightError: an argument, the data or the model does not fit; before anything is written.
    """
    if "stop" in settings:
        settings["stop"] = dict.fromkeys(StopConfig.model_fields) | dict(settings["stop"])
    settings = {"output_dir": OUTPUT_DIR, **settings, "policy": policy}
    config, build_task = configured(task, settings)
    request = requested(config, build_task, methods, seeds, general_text)
    return run(request, feedback=feedback, show_progress=show_progress)


def run(request: Request, *, feedback: FeedbackSource | None = None, show_progress: bool = True) -> ComparisonResult:
    """`backsight compare`: what is not in the folder yet is done, and the report written."""
    text = None if request.general_text is None else read_text(request.general_text)
    policy = _opened(request, request.control)
    pieces = [] if text is None else pieces_of(text, [policy])
    untrained = Session(request.shared, request.tasks[request.control], policy, feedback=feedback)  # checks the prompts
    folder = open_folder(request)
    bench = _Bench(request, folder, pieces, feedback, show_progress)
    try:
        before = bench.before(untrained)
        found = bench.runs(policy)
    except KeyboardInterrupt:
        return unfinished(request, folder)
    if found is None:
        return unfinished(request, folder)
    result = summarized(request, folder, before, *found)
    report = report_of(result)
    save_json(folder / RESULTS, result.as_dict())
    write_whole(folder / REPORT, markdown(report))
    write_whole(folder / PAGE, page(report))
    return result


class _Bench:
    """Runs what is missing."""

    def __init__(
        self,
        request: Request,
        folder: Path,
        pieces: Sequence[str],
        feedback: FeedbackSource | None,
        show_progress: bool,
    ) -> None:
        self.request, self.folder, self.pieces = request, folder, pieces
        self.feedback, self.show_progress = feedback, show_progress

    def before(self, untrained: Session) -> ItemScores:
        """The same for all methods and seeds: nothing is trained yet, and attempts are greedy."""
        held = read_json(self.folder / BEFORE)
        if held is None:
            config, own = untrained.config, untrained
            found = evaluated(own.engine, own.policy, own.task, own.feedback, config.sampling, config.eval_items)
            held = self._item_scores(found, own.policy)
            save_json(self.folder / BEFORE, held)
        return held

    def runs(self, policy: TextPolicy) -> tuple[dict[str, list[RunRecord]], dict[str, str]] | None:
        """Finished runs and failures, by method; None when interrupted. A method that failed is left alone."""
        finished: dict[str, list[RunRecord]] = {name: [] for name in self.request.methods}
        failures: dict[str, str] = {}
        for number, name in itertools.product(range(self.request.seeds), self.request.methods):
            if name in failures:
                continue
            try:
                record = self._run(name, number, policy)
            except BacksightError as error:
                failures[name] = str(error)
                continue
            if record is None:
                return None
            finished[name].append(record)
        return finished, failures

    def _run(self, method: str, number: int, policy: TextPolicy) -> RunRecord | None:
        """One that is in the folder already, or a new one, or the rest of one that was cut off."""
        config = self.request.run_config(method, number, self.folder / RUNS, policy)
        path = self.folder / RUNS / f"{config.run_name}.json"
        if (held := read_json(path)) is not None:
            return held
        checkpoint = checkpoint_in(self.folder / RUNS / str(config.run_name))
        if self.show_progress:
            methods = list(self.request.methods)
            position = number * len(methods) + methods.index(method) + 1
            going_on = "" if checkpoint is None else ", goes on"
            print(f"run {position} of {len(methods) * self.request.seeds}: {method}, seed {config.seed}{going_on}")
        learner = _opened(self.request, method, checkpoint)
        session = Session(config, self.request.tasks[method], learner, feedback=self.feedback)
        result = session.run(show_progress=self.show_progress, checkpoint=checkpoint)
        if result.interrupted:
            return None
        record = {"method": method, "seed": config.seed, **self._record(result, config)}
        save_json(path, record)
        return record

    def _record(self, result: Result, config: RunConfig) -> dict[str, Any]:
        counts = asdict(result.progress)
        gold_answers = 0 if samples(config.hindsight) else result.progress.step * self.request.rows_per_step
        cost = {"steps": counts["step"], "gold_answers": gold_answers}
        return {
            "stop_reason": result.stop_reason,
            "cost": cost | {name: counts[name] for name in ("attempts", "tokens", "seconds")},
            "curve": list(self._curve(result)),
            "scores": self._item_scores(result.after, result.policy),
        }

    def _curve(self, result: Result) -> Iterator[dict[str, Any]]:
        """The reward by split at each evaluated step, with what was used until then.

        Who samples nothing uses its share of a budget of attempts or tokens.
        """
        reader, progress, stop = RunReader(result.folder), result.progress, self.request.shared.stop
        metrics = reader.metrics()
        rewards: dict[int, dict[str, float]] = {}
        for row in reader.evaluations():
            if row["split"] in result.after and result.after[row["split"]].trajectories:
                rewards.setdefault(row["step"], {})[row["split"]] = row["scores"]["reward"]["mean"]
        for step, by_split in sorted(rewards.items()):
            past = [row for row in metrics if row["step"] <= step]
            share = step / max(1, progress.step)
            rows = step * self.request.rows_per_step + sum(row.get("hindsight/extra_attempts", 0) for row in past)
            tokens = sum(row.get("num_tokens", 0) for row in past)
            yield {
                "step": step,
                "steps": step,
                "attempts": min(rows, progress.attempts) if progress.attempts else rows,
                "tokens": tokens if progress.attempts else share * (stop.max_tokens or 0),
                "seconds": sum(row["step_time"] for row in past),
                "rewards": by_split,
            }

    def _item_scores(self, evaluation: Evaluation, policy: TextPolicy) -> dict[str, Mapping[str, Any]]:
        scores: dict[str, Mapping[str, Any]] = {
            split: each.item_rewards for split, each in evaluation.items() if each.trajectories
        }
        if self.pieces:
            scores[GENERAL_TEXT] = {LOG_PROBABILITY: text_log_probs(policy, self.pieces)}
        return scores


def _opened(request: Request, method: str, checkpoint: Path | None = None) -> TextPolicy:
    config = request.shared
    return load_policy(
        str(checkpoint or config.policy),
        labels=request.tasks[method].labels,
        trust_remote_code=config.trust_remote_code,
        adapter=config.adapter,
    )
