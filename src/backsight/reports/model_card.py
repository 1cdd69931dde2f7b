"""The model card in a policy's folder: what the Hugging Face hub reads, then what a person reads.

The card never holds a path of the machine, nor text of the data or of a model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backsight.errors import printable
from backsight.reports.document import Report, Table
from backsight.reports.loading_code import HERE, Loading, address_line, loading_code
from backsight.reports.markdown import markdown
from backsight.reports.run_folder import Row
from backsight.reports.tables import interval_text

CARD = "README.md"
"""Name of the card in the policy's folder, under which the hub shows it."""
LIMITS = (
    "Limits: it was scored on the splits named here and on nothing else. A reward that can be gamed will be; read "
    "answers before you rely on them. What holds of the base and of the data (errors, biases, terms of use) holds of "
    "this model as well."
)
BACKSIGHT = "backsight"
_HEADING = "## How to load it"
_TALK = "Or talk to it: `backsight chat {}`."
_FRONT = re.compile(r"\A---\r?\n(.*?)\r?\n---\r?\n", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a card says of a policy."""

    name: str
    loading: Loading
    preset: str
    facts: Mapping[str, str]
    """Facts by name: where the policy comes from, how it was trained, what that cost."""
    evaluations: Sequence[Row]
    """The rows of `evaluations.jsonl`."""
    license: str
    """Licence of the base, by the hub's word for it."""
    base_model: str | None = None
    """Id of the base on the hub; None when it is not known to lie there."""
    datasets: Sequence[str] = ()
    """Ids of those data sets that lie on the hub."""
    tags: Sequence[str] = ()
    notes: Sequence[str] = ()
    """What a reader has to know first, such as that the run was interrupted."""


def render(card: ModelCard) -> str:
    """Return the card as Markdown with YAML front matter."""
    report = Report(card.name, card.facts, [*card.notes, LIMITS], [_figures(card.evaluations)])
    return f"{_front_matter(_metadata(card))}\n{markdown(report)}\n{_loading_section(card.loading)}"


def with_loading(text: str, loading: Loading) -> str:
    """Return a card for the same policy saved in another form. A card that somebody else wrote stays as it is."""
    before, heading, _ = text.partition(f"\n{_HEADING}\n")
    front = _FRONT.match(before)
    if not heading or front is None:
        return text
    import yaml

    metadata = {**yaml.safe_load(front[1]), "library_name": loading.library, "base_model_relation": _relation(loading)}
    if "base_model" not in metadata:
        del metadata["base_model_relation"]
    return f"{_front_matter(metadata)}{before[front.end() :]}\n{_loading_section(loading)}"


def with_address(text: str, address: str) -> str:
    """Return a card whose code loads the policy from this address."""
    text = text.replace(address_line(HERE), address_line(address))
    return text.replace(_TALK.format(HERE), _TALK.format(address))


def _metadata(card: ModelCard) -> dict[str, Any]:
    """Return the front matter by the hub's names (https://huggingface.co/docs/hub/model-cards)."""
    from huggingface_hub import EvalResult, ModelCardData

    pipeline = _pipeline(card.loading.kind, card.preset)
    results = [
        EvalResult(
            task_type=pipeline,
            dataset_type=printable(card.preset),
            dataset_name=printable(f"{card.preset}: {split}"),
            dataset_split=printable(split),
            metric_type=printable(name),
            metric_name=printable(f"{name} (mean over {score.count} items)"),
            metric_value=round(score.mean, 6),
        )
        for split, named in _scores(card.evaluations, _last_step(card.evaluations)).items()
        for name, score in named.items()
    ]
    data = ModelCardData(
        license=card.license,
        library_name=card.loading.library,
        pipeline_tag=pipeline,
        tags=[BACKSIGHT, "reinforcement-learning", *map(printable, card.tags)],
        base_model=card.base_model,
        datasets=list(card.datasets) or None,
        model_name=printable(card.name),
        eval_results=results or None,
    )
    relation = {} if card.base_model is None else {"base_model_relation": _relation(card.loading)}
    return {**data.to_dict(), **relation}  # type: ignore[no-untyped-call]


def _front_matter(metadata: Mapping[str, Any]) -> str:
    import yaml

    return f"---\n{yaml.safe_dump(dict(metadata), sort_keys=False, allow_unicode=True)}---\n"


def _relation(loading: Loading) -> str:
    return "adapter" if loading.is_adapter else "finetune"


def _pipeline(kind: str, preset: str) -> str:
    """Return the hub's word for what the model does."""
    if kind == "classifier":
        return "text-classification"
    return preset if kind == "seq2seq_lm" and preset in ("translation", "summarization") else "text-generation"


@dataclass(frozen=True, slots=True)
class _Score:
    """A mean over items as `evaluations.jsonl` holds it, with the ends of its 95 % interval."""

    mean: float
    low: float
    high: float
    count: int


def _figures(rows: Sequence[Row]) -> Table:
    last = _last_step(rows)
    columns = {"before": _scores(rows, 0), f"after step {last}": _scores(rows, last) if last else {}}
    keys = dict.fromkeys((split, name) for splits in columns.values() for split in splits for name in splits[split])
    cells = {
        f"{split}: {name}": {
            column: interval_text(score)
            for column, splits in columns.items()
            if (score := splits.get(split, {}).get(name)) is not None
        }
        for split, name in keys
    }
    note = "Means over items with 95 % intervals." if cells else "It was not evaluated."
    return Table("Evaluation", cells, note)


def _last_step(rows: Sequence[Row]) -> int:
    return max((row["step"] for row in rows), default=0)


def _scores(rows: Sequence[Row], step: int) -> dict[str, dict[str, _Score]]:
    """Return the finite scores of a step by split and name."""
    return {
        row["split"]: {name: _Score(**each) for name, each in row["scores"].items() if None not in each.values()}
        for row in rows
        if row["step"] == step
    }


def _loading_section(loading: Loading) -> str:
    talk = "" if loading.kind == "classifier" else f"\n{_TALK.format(HERE)}\n"
    return f"{_HEADING}\n\n```python\n{loading_code(loading)}\n```\n{talk}"
