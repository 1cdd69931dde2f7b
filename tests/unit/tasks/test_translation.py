"""Translations against one or several references."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sacrebleu.metrics.bleu import BLEU

from backsight.errors import DataError
from backsight.tasks.translation import TranslationTask

ROWS = [
    {"source": "Hello.", "target": "Hallo."},
    {"source": "Go away!", "target": "Geh weg!"},
    {"source": "Hello.", "target": "Guten Tag."},
    {"source": "Hi!", "target": "Hallo!"},
    {"source": "Good day.", "target": "Guten Tag!"},
    {"source": "Hullo.", "target": "Hallo"},
]


def write(path: Path, rows: list[Mapping[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture
def task(tmp_path: Path) -> TranslationTask:
    source = write(tmp_path / "rows.jsonl", list(ROWS))
    return TranslationTask(source, test=source)


def test_rows_with_one_source_make_one_item_with_all_references(task: TranslationTask) -> None:
    items = task.items("train")
    assert [item.prompt for item in items] == [
        "Hello.\n=>",
        "Go away!\n=>",
        "Hi!\n=>",
        "Good day.\n=>",
        "Hullo.\n=>",
    ]
    assert [item.id for item in items] == ["1", "2", "4", "5", "6"]
    assert items[0].target == " Hallo."
    assert items[0].columns["references"] == ["Hallo.", "Guten Tag."]


@pytest.mark.parametrize("completion", ["Hallo.", " Guten Tag.\n"])
def test_any_reference_gets_full_marks(task: TranslationTask, completion: str) -> None:
    feedback = task.judge(task.items("train")[0], completion)
    assert feedback.rewards == {"chrf": 1.0, "bleu": 1.0, "exact": 1.0}
    assert (feedback.reward, feedback.success, feedback.sources) == (1.0, True, ("translation",))
    assert set(task.metrics) <= set(feedback.rewards)
    assert task.validate("train") == 5


def test_the_reward_is_the_chrf_of_the_best_reference(tmp_path: Path) -> None:
    # chrF by hand for "ab" against "ac": of the single characters one in two is right, of the pairs none, and
    # longer pieces do not exist. Mean precision and mean recall are (1/2 + 0) / 2, and so is the F-score.
    source = write(tmp_path / "rows.jsonl", [{"source": "s", "references": ["xyz", "ac"]}])
    task = TranslationTask(source, test=source)
    feedback = task.judge(task.items("train")[0], "ab")
    assert feedback.reward == pytest.approx(0.25)
    assert (feedback.success, feedback.rewards["exact"]) == (False, 0.0)
    assert task.judge(task.items("train")[0], "").reward == 0.0
    assert feedback.correction == task.items("train")[0].target
    assert task.judge(task.items("train")[0], str(task.items("train")[0].target)).correction is None


def test_bleu_by_hand(tmp_path: Path) -> None:
    # "ab cd" against "ab xy": of the single words one in two is right; of the pairs none of one, which is smoothed to
    # 1/2; longer ones do not exist. BLEU is their geometric mean; both have two words, so nothing is taken off. Against
    # "ab cd ef gh" all that is there is right, but half as long: exp(1 - 4/2) is less.
    source = write(tmp_path / "rows.jsonl", [{"source": "s", "references": ["ab xy", "ab cd ef gh"]}])
    task = TranslationTask(source, test=source)
    assert task.judge(task.items("train")[0], "ab cd").rewards["bleu"] == pytest.approx(0.5)
    assert task.judge(task.items("train")[0], "").rewards["bleu"] == 0.0


@pytest.mark.parametrize("target", ["שלום, עולם! 🙂", "مرحبا 👩‍💻 hello", "今日は good", "Grüße — ‏עברית‏ 🎉"])
def test_every_script_survives(tmp_path: Path, target: str) -> None:
    source = write(tmp_path / "rows.jsonl", [{"source": f"{target} ?", "target": target}])
    task = TranslationTask(source, test=source)
    (item,) = task.items("train")
    assert (item.prompt, item.target) == (f"{target} ?\n=>", f" {target}")
    assert task.validate("train") == 1


def test_a_translation_is_relabelled_with_the_prompt_that_was_cut(task: TranslationTask) -> None:
    assert task.relabel_prompt(task.items("train")[1], "Guten Tag", seed=1) == "Good day.\n=>"
    items = [task.shorten(item, lambda prompt: len(prompt) <= 8) or item for item in task.items("train")]
    cut = task.with_items({"train": items})
    assert cut.items("train")[3].prompt == "Good\n=>"
    assert cut.relabel_prompt(cut.items("train")[1], "Guten Tag", seed=1) == "Good\n=>"
    assert (cut.validate("train"), task.items("train")[3].prompt) == (5, "Good day.\n=>")


def test_a_translation_of_another_source_is_relabelled_with_it(task: TranslationTask) -> None:
    away = task.items("train")[1]
    assert task.relabel_prompt(away, "guten tag", seed=0) in ("Hello.\n=>", "Good day.\n=>")
    seen = {task.relabel_prompt(away, " HALLO", seed=seed) for seed in range(10)}
    assert seen == {"Hello.\n=>", "Hi!\n=>", "Hullo.\n=>"}
    assert task.relabel_prompt(away, "Hallo", seed=7) == task.relabel_prompt(away, "Hallo", seed=7)


def test_what_translates_no_other_source_is_not_relabelled(task: TranslationTask) -> None:
    assert task.relabel_prompt(task.items("train")[1], "geh weg", seed=0) is None
    for completion in ("Hallo du", "", "..."):
        assert task.relabel_prompt(task.items("train")[0], completion, seed=0) is None


def test_only_training_translations_are_known(tmp_path: Path) -> None:
    train = write(tmp_path / "train.jsonl", [{"source": "Hello.", "target": "Hallo."}])
    test = write(tmp_path / "test.jsonl", [{"source": "Go away!", "target": "Geh weg!"}])
    task = TranslationTask(train, test=test)
    assert task.relabel_prompt(task.items("train")[0], "Geh weg!", seed=0) is None
    assert task.relabel_prompt(task.items("test")[0], "Hallo!", seed=0) == "Hello.\n=>"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"source": "a"}, "row 2: no column 'target'"),
        ({"target": "a"}, "row 2: no column 'source'"),
        ({"source": "a", "target": " "}, "row 2, column 'target'"),
        ({"source": "a", "references": []}, "row 2, column 'references'"),
        ({"source": "a", "references": ["b", ""]}, "row 2, column 'references'"),
        ({"source": "a", "references": "b"}, "row 2, column 'references'"),
    ],
)
def test_an_unusable_row_is_refused(tmp_path: Path, row: dict[str, Any], reason: str) -> None:
    with pytest.raises(DataError, match=f"rows.jsonl: {reason}"):
        TranslationTask(write(tmp_path / "rows.jsonl", [ROWS[0], row]))


@pytest.mark.shared_data
def test_real_translations(shared_data: Path) -> None:
    folder = shared_data / "translation"
    task = TranslationTask(
        str(folder / "tatoeba_en_de/train.jsonl.gz"),
        test=str(folder / "tatoeba_en_de/test.jsonl.gz"),
        ood=str(folder / "ntrex_de/ood.jsonl.gz"),
    )
    assert [len(task.items(split)) for split in ("train", "test", "ood")] == [54509, 2000, 997]
    assert [task.validate(split) for split in ("train", "test", "ood")] == [200, 200, 200]
    first = task.items("train")[0]
    other = next(item for item in task.items("train")[1:] if item.target != first.target)
    assert task.relabel_prompt(first, str(other.target), seed=0) is not None


@pytest.mark.parametrize(
    ("gold", "said", "tokenizer"),
    [
        ("我今天早上在公园里散步的时候遇见了一位老朋友。", "我今天早上在公园里跑步的时候遇见了一位老朋友。", "zh"),
        (
            "今朝、公園を散歩しているときに友人に会いました。",
            "今朝、公園を散歩しているときに友達に会いました。",
            "char",
        ),
        ("เมื่อเช้านี้ฉันพบเพื่อนเก่าในสวนสาธารณะ", "เมื่อเช้านี้ฉันพบเพื่อนใหม่ในสวนสาธารณะ", "char"),
        ("ព្រឹកនេះខ្ញុំបានជួបមិត្តចាស់ម្នាក់", "ព្រឹកនេះខ្ញុំបានជួបមិត្តថ្មីម្នាក់", "char"),
        ("ມື້ເຊົ້ານີ້ຂ້ອຍໄດ້ພົບໝູ່ເກົ່າ", "ມື້ເຊົ້ານີ້ຂ້ອຍໄດ້ພົບໝູ່ໃໝ່", "char"),
        ("ဒီမနက်ကျွန်တော်သူငယ်ချင်းဟောင်းနဲ့တွေ့ခဲ့တယ်", "ဒီမနက်ကျွန်တော်သူငယ်ချင်းသစ်နဲ့တွေ့ခဲ့တယ်", "char"),
        ("오늘 아침 공원에서 오랜 친구를 만났습니다.", "오늘 아침 공원에서 새로운 친구를 만났습니다.", "13a"),
        ("I met an old friend in the park today.", "I met an old friend in the garden today.", "13a"),
    ],
)
def test_bleu_fits_the_script(tmp_path: Path, gold: str, said: str, tokenizer: str) -> None:
    source = write(tmp_path / "rows.jsonl", [{"source": "a", "target": gold}])
    task = TranslationTask(source, test=source)
    found = task.judge(task.items("train")[0], said).rewards["bleu"]
    expected = BLEU(tokenize=tokenizer, effective_order=True).sentence_score(said, [gold]).score / 100
    assert found == pytest.approx(expected) and found > 0.2
