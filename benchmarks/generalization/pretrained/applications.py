"""The five applications: what is learnt, what is asked in domain and out of it, and the ways that are compared.

    instructions     generated requests with constraints   -> IFEval, other kinds of constraints, more of them
    sentiment        32, 128 or 512 labelled film reviews   -> reviews of gadgets
    summarization    abstracts of papers                    -> contracts, talks with doctors
    dialogue         orders of coffee that people rewarded  -> film tickets
    reasoning        four kinds of questions                -> harder ones, two kinds that are near
    customers        a simulated customer                   -> other wares, and errands of more parts

Splits out of domain only evaluate.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from backsight.tasks.base import Task, draw_items
from backsight.tasks.conversations import ConversationsTask
from backsight.tasks.dialogue import DialogueTask
from backsight.tasks.forms import PromptForm
from backsight.tasks.instructions.task import InstructionsTask
from backsight.tasks.reasoning_gym import ReasoningGymTask
from backsight.tasks.rows import RowsTask
from backsight.tasks.sentiment import SentimentTask
from backsight.tasks.summarization import SummarizationTask
from backsight_pocket.dialogue import SEEDS
from benchmarks.generalization.pretrained import customers
from benchmarks.generalization.pretrained.exams import LOG_PROB, Exam, Kind, Questions, Turns, draw_turns
from benchmarks.generalization.pretrained.ifeval import IFEvalTask
from benchmarks.generalization.pretrained.mixture import Mixture, without_exams
from benchmarks.generalization.pretrained.ways import (
    BASE,
    BEST_OF_4,
    DPO,
    GENTLE_RATES,
    SFT,
    SFT_LONG,
    SUPERVISED,
    Role,
    Way,
    distilling,
    looking_back,
    plain,
)
from benchmarks.generalization.real import read_dialogues
from benchmarks.logs.run import Turn, cut_rewarded, is_held_back, opening_number, read, write

CHAT = PromptForm(is_chat=True)
REASONING_TOKENS = 12
ANSWERS_ALONE: Mapping[str, Any] = {
    "prompt_format": "plain",
    "stop_strings": ("\n",),
    "instruction": (
        "Question: What is the capital of France?\nAnswer: Paris\n\n"
        "Question: What is the colour of the sky?\nAnswer: blue\n\n"
        "Question: {question}\nAnswer:"
    ),
}
"""Settings of `reasoning`. Asked in a chat, the base says a sentence whatever it is told, and none of its answers is
read as right; of a text with two examples it goes on with the answer alone."""
TWO, THREE = {"min_terms": 2, "max_terms": 2}, {"min_terms": 3, "max_terms": 3}
QUESTIONS: Sequence[Mapping[str, tuple[str, Mapping[str, Any]]]] = (
    {
        "sums": ("chain_sum", {**TWO, "min_digits": 1, "max_digits": 2}),
        "products": ("products", {**TWO, "min_digits": 1, "max_digits": 2}),
        "divisors": ("gcd", {}),
        "letters": ("letter_counting", {}),
    },
    {
        "sums": ("chain_sum", {**THREE, "min_digits": 1, "max_digits": 2}),
        "products": ("products", {**TWO, "min_digits": 1, "max_digits": 3}),
        "divisors": ("gcd", {"min_numbers": 3, "max_numbers": 3}),
        "letters": ("letter_counting", {"min_words": 16, "max_words": 25}),
    },
    {
        "multiples": ("lcm", {"min_value": 1, "max_value": 20}),
        "calculations": ("basic_arithmetic", {**TWO, "min_digits": 1, "max_digits": 1}),
    },
)
"""Questions of reasoning-gym that are learnt, harder ones of the same kinds, and kinds that are near. Of 80 attempts at
each, at temperature 0.7, the base was right in 8 % at sums, 5 % at divisors and 18 % at letters; products were looked
at with one digit (15 %), of which there are too few different ones to learn from."""
DEV_ITEMS = 100
CUSTOMERS, CUSTOMER_TOKENS = 400, 24
"""Number of customers to learn from, and most tokens of what is said to one in a turn."""
IFEVAL_TOKENS, IFEVAL_KEPT = 256, 80
"""Most tokens of an answer to IFEval, and the number of its prompts that tell what another application has unlearnt."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What the runs of an application share."""

    tasks: Mapping[str, Task]
    """What can be learnt, by name; `Way.learns` chooses. They have no splits to evaluate on, because exams do that."""
    exams: Sequence[Exam]


@dataclass(frozen=True, slots=True)
class Application:
    """What is learnt and how long, and who is compared."""

    name: str
    prepare: Callable[[Path], Ground]
    """Makes the ground from the folder of all data."""
    ways: tuple[Way, ...]
    max_completion_length: int
    steps: int
    """Number of steps of the ways that make attempts."""
    prompts_per_step: int = 8
    num_generations: int = 8
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of all runs."""
    is_counted: bool = True
    """Whether the conclusion counts it."""

    @property
    def attempts(self) -> int:
        """Number of attempts that each way may make."""
        return self.steps * self.prompts_per_step * self.num_generations

    def rehearsal(self) -> Application:
        """Return the application with one way of each role, one learning rate, and one step of a few attempts."""
        first = {way.role: replace(way, rates=way.rates[:1]) for way in reversed(self.ways)}
        ways = tuple(reversed(first.values()))
        return replace(self, ways=ways, steps=1, prompts_per_step=2, num_generations=2, max_completion_length=8)

    def tenfold(self) -> Application:
        """Return the application with ten times the attempts and one learning rate, for a machine that is faster."""
        ways = tuple(replace(way, rates=way.rates[:1]) for way in self.ways)
        return replace(self, ways=ways, steps=5 * self.steps, prompts_per_step=2 * self.prompts_per_step)


def _ask(
    kind: Kind,
    name: str,
    task: Task,
    split: str,
    items: int,
    length: int,
    score: str = "reward",
    settings: Mapping[str, Any] = MappingProxyType({}),
) -> Questions:
    asked = {"max_completion_length": length, "eval_items": items, **settings}
    return Questions(name, kind, score, task, split, asked)


def _serve(kind: Kind, name: str, split: str, items: int) -> Questions:
    """Return customers to serve, of whom the share counts that was offered what they wanted."""
    return _ask(kind, name, customers.make_task([split]), split, items, CUSTOMER_TOKENS, customers.GOAL)


def _kept(data: Path) -> Exam:
    """Return what tells whether a policy of another application still follows instructions."""
    return _ask(Kind.BESIDE, "ifeval", IFEvalTask(data), "test", IFEVAL_KEPT, IFEVAL_TOKENS)


def _prepare_instructions(data: Path) -> Ground:
    task, length = InstructionsTask(), 96
    exams = [
        _ask(Kind.DEV, "dev", task, "train", DEV_ITEMS, length, score="constraints"),
        _ask(Kind.IN_DOMAIN, "new requests", task, "in_domain", 150, length),
        _ask(Kind.OUT_OF_DOMAIN, "ifeval", IFEvalTask(data), "test", 541, IFEVAL_TOKENS),
        _ask(Kind.OUT_OF_DOMAIN, "other kinds", task, "kinds", 100, length),
        _ask(Kind.OUT_OF_DOMAIN, "more constraints", task, "more", 100, length),
    ]
    dense = InstructionsTask(reward="constraints")
    return Ground({"task": without_exams(task), "dense": without_exams(dense)}, exams)


def _prepare_sentiment(labels: int, data: Path) -> Ground:
    folder = data / "sentiment"
    films = {split: str(folder / "sentence_polarity" / f"{split}.jsonl.gz") for split in ("train", "dev", "test")}
    whole = SentimentTask(films["train"], test=films["test"], ood=str(folder / "product_reviews" / "ood.jsonl.gz"))
    task = whole.with_items({"train": draw_items(whole.items("train"), labels)})
    exams = [
        _ask(Kind.DEV, "dev", SentimentTask(films["train"], test=films["dev"]), "test", DEV_ITEMS, 4),
        _ask(Kind.IN_DOMAIN, "film reviews", whole, "test", 300, 4),
        _ask(Kind.OUT_OF_DOMAIN, "gadgets", whole, "ood", 300, 4),
        _kept(data),
    ]
    return Ground({"task": without_exams(task)}, exams)


def _prepare_summarization(data: Path) -> Ground:
    folder, length = data / "summarization", 64
    papers = {split: str(folder / "scitldr" / f"{split}.jsonl.gz") for split in ("train", "dev", "test")}
    task = SummarizationTask(papers["train"], test=papers["test"], ood=str(folder / "legal_plain" / "ood.jsonl.gz"))
    other = SummarizationTask(papers["train"], test=papers["dev"], ood=str(folder / "mts_dialog" / "test1.jsonl.gz"))
    exams = [
        _ask(Kind.DEV, "dev", other, "test", 60, length),
        _ask(Kind.IN_DOMAIN, "papers", task, "test", 100, length),
        _ask(Kind.OUT_OF_DOMAIN, "contracts", task, "ood", 100, length),
        _ask(Kind.OUT_OF_DOMAIN, "talks with doctors", other, "ood", 100, length),
        _kept(data),
    ]
    return Ground({"task": without_exams(task)}, exams)


def _prepare_dialogue(data: Path) -> Ground:
    """Learn from turns of a coffee bar's logs that people gave 0 or 1, or try to say what was said next in others.

    A row of the logs falls to train, dev or test by what its user says first: several rows are of one conversation.
    """
    coffee, movies = data / "dialogue" / "taskmaster4_coffee", data / "dialogue" / "taskmaster3_movies"
    rows, length = list(read(coffee / "human_reward.jsonl.gz")), 40
    with tempfile.TemporaryDirectory() as place:

        def keep(name: str, conversations: Iterable[Sequence[Turn]]) -> str:
            return write(Path(place, f"{name}.jsonl"), conversations)

        learnt = list(cut_rewarded(row for row in rows if not is_held_back(row)))
        held_back = [row for row in rows if is_held_back(row)]
        dev, test = (
            keep(name, cut_rewarded(row for row in held_back if opening_number(row) % 2 == side))
            for side, name in enumerate(("dev", "test"))
        )
        films = keep("films", cut_rewarded(read(movies / "human_reward_test.jsonl.gz")))
        logs = ConversationsTask(keep("logs", learnt), test=test, ood=films).in_form(CHAT)
        looked_at = ConversationsTask(keep("logs", learnt), test=dev).in_form(CHAT)
        rewarded = ConversationsTask(keep("rewarded", (each for each in learnt if each[-1]["reward"])), test=test)
        said = {
            name: keep(f"said-{name}", (each["messages"] for each in read_dialogues(str(path))))
            for name, path in {
                "train": coffee / "train.jsonl.gz",
                "test": coffee / "test.jsonl.gz",
                "films": movies / "next_turn_sample.jsonl.gz",
            }.items()
        }
        turns = DialogueTask(said["train"], test=said["test"], ood=said["films"])
    exams = [
        Turns("dev", Kind.DEV, LOG_PROB, draw_turns(looked_at.items("test"), 50)),
        Turns("held-back orders", Kind.IN_DOMAIN, LOG_PROB, draw_turns(logs.items("test"), 100)),
        Turns("film tickets", Kind.OUT_OF_DOMAIN, LOG_PROB, draw_turns(logs.items("ood"), 100)),
        _ask(Kind.BESIDE, "words of the next turn, coffee", turns, "test", 60, length),
        _ask(Kind.BESIDE, "words of the next turn, films", turns, "ood", 60, length),
        _serve(Kind.BESIDE, "goals met", "in_domain", 40),
        _kept(data),
    ]
    tasks = {"task": turns, "logs": logs, "rewarded logs": rewarded}
    return Ground({name: without_exams(task) for name, task in tasks.items()}, exams)


def _prepare_customers(data: Path) -> Ground:
    train, dev = SEEDS["train"][:CUSTOMERS], SEEDS["train"][-DEV_ITEMS:]
    exams = [
        _ask(Kind.DEV, "dev", customers.make_task([], dev), "train", DEV_ITEMS, CUSTOMER_TOKENS),
        _serve(Kind.IN_DOMAIN, "new customers", "in_domain", 100),
        _serve(Kind.OUT_OF_DOMAIN, "other wares", "domains", 100),
        _serve(Kind.OUT_OF_DOMAIN, "more parts", "longer", 100),
        _kept(data),
    ]
    turns = RowsTask(customers.expert_rows(train), test=customers.expert_rows(dev[:1]))
    return Ground({"task": customers.make_task([], train), "turns": without_exams(turns)}, exams)


def _prepare_reasoning(data: Path) -> Ground:
    ask = partial(_ask, length=REASONING_TOKENS, settings=ANSWERS_ALONE)
    learnt, harder, near = (_mix(each) for each in QUESTIONS)
    exams = [
        ask(Kind.DEV, "dev", learnt, "train", DEV_ITEMS),
        ask(Kind.IN_DOMAIN, "fresh questions", learnt, "test", 300),
        ask(Kind.OUT_OF_DOMAIN, "harder", harder, "test", 300),
        ask(Kind.OUT_OF_DOMAIN, "other kinds", near, "test", 200),
        _kept(data),
    ]
    return Ground({"task": without_exams(learnt)}, exams)


def _mix(questions: Mapping[str, tuple[str, Mapping[str, Any]]]) -> Mixture:
    return Mixture({name: _questions(*own) for name, own in questions.items()}, eval_splits=("test",))


def _questions(dataset: str, options: Mapping[str, Any]) -> ReasoningGymTask:
    return ReasoningGymTask(dataset, options=options, train_size=100_000, instruction="")


WITH_GOLD = (BASE, BEST_OF_4, SFT, SFT_LONG, DPO, plain())
"""Everything that is done without hindsight where there are gold answers."""
LABELS = {
    128: (*WITH_GOLD, looking_back("gold_anchor", "gold_anchor"), looking_back("rlsd", "rlsd"), *distilling()),
    32: (BASE, SFT, SFT_LONG, plain(), looking_back("gold_anchor", "gold_anchor")),
    512: (BASE, SFT, SFT_LONG, plain(), looking_back("gold_anchor", "gold_anchor")),
}
"""Numbers of labels in `sentiment`, and the ways that are tried with them."""
APPLICATIONS = (
    Application(
        name="instructions",
        prepare=_prepare_instructions,
        ways=(
            BASE,
            BEST_OF_4,
            DPO,
            plain(),
            plain("dense"),
            Way("sft on best", Role.SUPERVISED, {"hindsight": "best_of_n"}, GENTLE_RATES, "dense"),
            looking_back("relabel", "relabel", "dense"),
            looking_back("cort", {"name": "cort", "rubric": "constraints", "ramp_steps": 4}, "dense"),
            looking_back("correct", {"name": "correct", "outcome_weight": 1.0}, "dense"),
            *distilling("dense"),
        ),
        max_completion_length=96,
        steps=16,
    ),
    *(
        Application(
            name=f"sentiment-{labels}",
            prepare=partial(_prepare_sentiment, labels),
            ways=ways,
            max_completion_length=4,
            steps=16,
            is_counted=labels == 128,
        )
        for labels, ways in LABELS.items()
    ),
    Application(
        name="summarization",
        prepare=_prepare_summarization,
        ways=(*WITH_GOLD, looking_back("gold_anchor", "gold_anchor"), looking_back("rlcsd", "rlcsd"), *distilling()),
        max_completion_length=64,
        steps=10,
        prompts_per_step=4,
    ),
    Application(
        name="dialogue",
        prepare=_prepare_dialogue,
        ways=(
            *WITH_GOLD,
            Way("sft on logs", Role.SUPERVISED, SUPERVISED, GENTLE_RATES, "logs", rows_for_attempts=1.0),
            Way("sft on rewarded", Role.SUPERVISED, SUPERVISED, GENTLE_RATES, "rewarded logs", rows_for_attempts=1.0),
            looking_back("recorded", "recorded", "logs"),
            looking_back("gold_anchor", "gold_anchor"),
            *distilling(),
        ),
        max_completion_length=40,
        steps=12,
        prompts_per_step=4,
    ),
    Application(
        name="reasoning",
        prepare=_prepare_reasoning,
        ways=(*WITH_GOLD, looking_back("gold_anchor", "gold_anchor"), looking_back("rlcsd", "rlcsd"), *distilling()),
        max_completion_length=REASONING_TOKENS,
        steps=24,
        settings=ANSWERS_ALONE,
    ),
    Application(
        name="customers",
        prepare=_prepare_customers,
        ways=(
            BASE,
            BEST_OF_4,
            replace(SFT, learns="turns"),
            replace(SFT_LONG, learns="turns"),
            plain(),
            looking_back("shaping, relabel", ["shaping", "relabel"], algorithm="reinforce"),
            looking_back("turnsight", "turnsight"),
        ),
        max_completion_length=CUSTOMER_TOKENS,
        steps=12,
        prompts_per_step=4,
        is_counted=False,
    ),
)
