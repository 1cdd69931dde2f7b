"""The embedded model, as it is in the repository."""

from backsight.rollouts.engines import engine_for
from backsight.runs.start import load_policy
from backsight.types import Sampling
from backsight_pocket import MODEL_FOLDER, model_folder, world


def test_the_model_is_small() -> None:
    assert sum(path.stat().st_size for path in MODEL_FOLDER.iterdir()) <= 8_000_000


def test_its_name_stands_for_its_folder() -> None:
    assert load_policy("pocket").model.name_or_path == model_folder() == str(MODEL_FOLDER)


def test_it_writes_sentences_of_its_world() -> None:
    engine = engine_for(load_policy("pocket"))
    sampled = engine.act([""] * 1000, Sampling(max_completion_length=32), range(1000))
    actions = [action for _, action in sampled]
    well_formed = [world.is_well_formed((action.text or "").strip()) for action in actions]
    assert sum(well_formed) >= 850
    assert len({action.text for action in actions}) >= 950


def test_any_text_has_tokens() -> None:
    policy = load_policy("pocket")
    assert policy.decode(policy.encode("naïve €5 🙂")) == "naïve €5 🙂"
