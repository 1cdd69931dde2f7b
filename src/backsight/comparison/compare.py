"""Comparison of several methods on the same task, from the same model, with the same budget: `backsight compare`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

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
from backsight.comparison.report import make_report
from backsight.comparison.request import Request, make_request
from backsight.comparison.results import ComparisonResult, RunRecord, summarize, summarize_interrupted
from backsight.comparison.runner import Job, do_once
from backsight.config import RunConfig
from backsight.distributed.environment import check_alone
from backsight.errors import BacksightError
from backsight.evaluation.evaluator import Evaluation
from backsight.evaluation.forgetting import cut_into_pieces, read_text, text_log_probs
from backsight.interfaces import FeedbackSource
from backsight.policies.text import TextPolicy
from backsight.presets.base import TaskChoice, configure
from backsight.reports.files import write_whole
from backsight.reports.lock import only_writer
from backsight.reports.markdown import markdown
from backsight.reports.page import page
from backsight.reports.run_folder import RunReader
from backsight.reports.terminal import steady
from backsight.runs.evaluate import GENERAL_TEXT, LOG_PROBABILITY, ItemScores
from backsight.runs.finetune import Result, train
from backsight.runs.start import RewardFuncs, RunParts, begin, functions_as_source
from backsight.training.config import StopConfig

OUTPUT_DIR = "comparisons"


def compare(
    policy: str | os.PathLike[str],
    task: TaskChoice,
    methods: Sequence[Any],
    *,
    seeds: int = 3,
    general_text: str | os.PathLike[str] | None = None,
    reward_funcs: RewardFuncs | None = None,
    feedback: FeedbackSource | None = None,
    show_progress: bool = True,
    **settings: Any,
) -> ComparisonResult:
    """Train `policy` with each method and seed, and write a report of the results into the folder `comparisons/NAME`.

    `methods` are names of hindsight methods, or other values of the setting `hindsight`. The settings are those of
    `RunConfig`, by name, for all methods. `stop` is the budget of each run, in place of the preset's. `run_name` is
    NAME: a second call with the same name and arguments continues a comparison that was interrupted. `task`,
    `reward_funcs` and `feedback` are those of `finetune`.

        backsight.compare("pocket", "instructions", ["sft", "outcome", "relabel"], stop={"max_attempts": 20_000})

    Raises:
        BacksightError: when an argument, the data or the model does not fit. Nothing is written then.
    """
    check_alone("backsight.compare")
    if "stop" in settings:
        settings["stop"] = dict.fromkeys(StopConfig.model_fields) | dict(settings["stop"])
    settings = {"output_dir": OUTPUT_DIR, **settings, "policy": policy}
    config, build_task = configure(task, settings)
    text = None if general_text is None else Path(general_text)
    request = make_request(config, build_task, methods, seeds, text)
    if feedback is None and reward_funcs is not None:
        feedback = functions_as_source(reward_funcs)
    return run(request, feedback=feedback, show_progress=show_progress)


def run(request: Request, *, feedback: FeedbackSource | None = None, show_progress: bool = True) -> ComparisonResult:
    """Do the runs that are not in the folder yet, and write the report. `backsight compare` calls this."""
    text = None if request.general_text is None else read_text(request.general_text)
    untrained = begin(request.shared, request.tasks[request.control], feedback=feedback)  # checks the prompts
    pieces = [] if text is None else cut_into_pieces(text, [untrained.policy])
    folder = open_folder(request)
    comparison = _Comparison(request, folder, untrained, pieces, feedback, show_progress)
    with only_writer(folder):
        try:
            before = comparison.score_untrained()
            found = comparison.do_runs()
        except KeyboardInterrupt:
            return summarize_interrupted(request, folder)
        result = summarize(request, folder, before, *found)
        report = make_report(result)
        save_json(folder / RESULTS, result.as_dict())
        write_whole(folder / REPORT, markdown(report))
        write_whole(folder / PAGE, page(report))
    return result


class _Comparison:
    """The runs of a comparison, and what they share."""

    def __init__(
        self,
        request: Request,
        folder: Path,
        untrained: RunParts,
        pieces: Sequence[str],
        feedback: FeedbackSource | None,
        show_progress: bool,
    ) -> None:
        self.request, self.folder, self.untrained, self.pieces = request, folder, untrained, pieces
        self.feedback, self.show_progress = feedback, show_progress
        seeds = range(request.shared.seed, request.shared.seed + request.seeds)
        self.jobs = [Job(name, seed) for seed in seeds for name in request.methods]

    def score_untrained(self) -> ItemScores:
        """Return the scores of the policy before training, which all runs share because attempts are greedy."""
        held = read_json(self.folder / BEFORE)
        if held is None:
            held = self._item_scores(self.untrained.evaluate(), self.untrained.policy)
            save_json(self.folder / BEFORE, held)
        return held

    def do_runs(self) -> tuple[dict[str, list[RunRecord]], dict[str, str]]:
        """Do all runs, and return the finished ones and the failures by method. A method that failed is not run again.

        Raises:
            KeyboardInterrupt: when a run was interrupted. The run was saved before.
        """
        finished: dict[str, list[RunRecord]] = {name: [] for name in self.request.methods}
        failures: dict[str, str] = {}
        for job in self.jobs:
            if job.name in failures:
                continue
            try:
                finished[job.name].append(do_once(job, self._do, self.folder / RUNS))
            except BacksightError as error:
                failures[job.name] = str(error)
        return finished, failures

    def _do(self, job: Job) -> RunRecord:
        """Do a run, or continue one that was interrupted."""
        config = self.request.run_config(job, self.folder / RUNS, self.untrained.policy)
        checkpoint = checkpoint_in(self.folder / RUNS / job.slug)
        if self.show_progress:
            position = self.jobs.index(job) + 1
            going_on = "" if checkpoint is None else ", goes on"
            print(f"run {position} of {len(self.jobs)}: {job.name}, seed {job.seed}{going_on}", file=steady(sys.stdout))
        task = self.request.tasks[job.name]
        parts = begin(config, task, str(checkpoint or config.policy), feedback=self.feedback)
        result = train(parts, checkpoint=checkpoint, show_progress=self.show_progress)
        if result.interrupted:
            raise KeyboardInterrupt
        return {"method": job.name, "seed": job.seed, **self._record(result, config)}

    def _record(self, result: Result, config: RunConfig) -> dict[str, Any]:
        progress, samples = result.progress, config.hindsight.learns_from_attempts
        return {
            "stop_reason": result.stop_reason,
            "cost": {
                "steps": progress.step,
                "gold_answers": 0 if samples else progress.step * self.request.rows_per_step,
                # without attempts a run counts the rows that it learns in their place, which are no cost of sampling
                "attempts": progress.attempts if samples else 0,
                "tokens": progress.tokens if samples else 0,
                "seconds": progress.seconds,
            },
            "curve": list(self._curve(result, samples)),
            "scores": self._item_scores(result.after, result.policy),
        }

    def _curve(self, result: Result, samples: bool) -> Iterator[dict[str, Any]]:
        """Yield the reward by split at each evaluated step, with the part of the budget that was used until then.

        For a method that samples nothing, `attempts` counts gold answers, and `tokens` is its share of the budget of
        tokens.
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
                "attempts": min(rows, progress.attempts) if samples else rows,
                "tokens": tokens if samples else share * (stop.max_tokens or 0),
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
