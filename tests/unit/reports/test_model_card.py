"""The model card: the hub reads its front matter, and nothing in it is markup but its own."""

from dataclasses import replace

import pytest
import yaml
from huggingface_hub import ModelCard as HubCard

from backsight.reports.loading_code import Loading
from backsight.reports.model_card import ModelCard, render, with_address, with_loading

ADAPTER = Loading("causal_lm", is_adapter=True, has_chat_template=False)
WHOLE = Loading("causal_lm", is_adapter=False, has_chat_template=False)
BAD = "<script>x</script> a|b: [c](d)\n---\n# e\u202e"


def score(mean: float | None, count: int = 4) -> dict[str, float | int | None]:
    return {"mean": mean, "low": 0.25, "high": 0.75, "count": count}


CARD = ModelCard(
    name="mine",
    loading=ADAPTER,
    preset="sentiment",
    facts={"Base": "owner/base"},
    evaluations=[
        {"step": 0, "split": "test", "scores": {"reward": score(0.5)}},
        {"step": 2, "split": "test", "scores": {"reward": score(0.25), "broken": score(None)}},
        {"step": 4, "split": "test", "scores": {"reward": score(0.75), "length": score(12.5, 3)}},
    ],
    license="apache-2.0",
    base_model="owner/base",
    datasets=["owner/rows"],
    tags=["relabel"],
)


def test_the_hub_reads_the_front_matter() -> None:
    data = HubCard(render(CARD)).data
    assert (data.license, data.library_name, data.pipeline_tag) == ("apache-2.0", "peft", "text-generation")
    assert (data.base_model, data["base_model_relation"], data.datasets) == ("owner/base", "adapter", ["owner/rows"])
    assert data.tags == ["backsight", "reinforcement-learning", "relabel"]
    found = {each.metric_type: (each.dataset_split, each.metric_value, each.metric_name) for each in data.eval_results}
    assert found == {
        "reward": ("test", 0.75, "reward (mean over 4 items)"),
        "length": ("test", 12.5, "length (mean over 3 items)"),
    }


@pytest.mark.parametrize(
    ("kind", "preset", "tag"),
    [
        ("causal_lm", "translation", "text-generation"),
        ("seq2seq_lm", "translation", "translation"),
        ("seq2seq_lm", "dialogue", "text-generation"),
        ("classifier", "sentiment", "text-classification"),
    ],
)
def test_the_hub_knows_what_it_does(kind: str, preset: str, tag: str) -> None:
    card = replace(CARD, loading=replace(WHOLE, kind=kind), preset=preset)
    assert HubCard(render(card)).data.pipeline_tag == tag


def test_figures_stand_before_and_after_with_intervals() -> None:
    text = render(CARD)
    assert "|  | before | after step 4 |" in text
    assert "| test: reward | 0.500 (0.250–0.750) | 0.750 (0.250–0.750) |" in text
    assert "broken" not in text
    assert "It was not evaluated." in render(replace(CARD, evaluations=[]))


def test_nothing_that_somebody_wrote_is_markup() -> None:
    rows = [{"step": 0, "split": BAD, "scores": {BAD: score(0.5)}}]
    text = render(replace(CARD, name=BAD, preset=BAD, facts={BAD: BAD}, tags=[BAD], notes=[BAD], evaluations=rows))
    _, front, body = text.split("\n---\n", 1)[0], *text.removeprefix("---\n").split("\n---\n", 1)
    assert yaml.safe_load(front)["tags"][-1] == BAD.replace("\n", "\\n").replace("\u202e", "\\u202e")
    assert "<script>" not in body and "\u202e" not in text and "\n# e" not in body
    assert len([line for line in body.splitlines() if line.startswith("#")]) == 3


def test_another_form_of_the_policy_has_other_code_and_the_same_facts() -> None:
    text = with_loading(render(CARD), WHOLE)
    assert text == render(replace(CARD, loading=WHOLE))
    assert with_loading(render(replace(CARD, base_model=None)), WHOLE) == render(
        replace(CARD, base_model=None, loading=WHOLE)
    )


@pytest.mark.parametrize("own", ["# A card of my own\n", "---\nlicense: mit\n---\nMODEL\n", ""])
def test_a_card_of_somebody_elses_stays_as_it_is(own: str) -> None:
    assert with_loading(own, WHOLE) == own and with_address(own, "owner/name") == own


def test_a_published_card_loads_the_policy_from_the_hub() -> None:
    text = with_address(render(CARD), "owner/name")
    assert 'MODEL = "owner/name"' in text and "`backsight chat owner/name`" in text and 'MODEL = "."' not in text
