import pytest
import torch
from tiny_models import tiny_policy

from backsight.distributed.ranks import ALONE, Ranks
from backsight.training.dealing import deal
from backsight.types import Example


def row(prompt: str, length: int) -> Example:
    return Example((prompt,), (tuple(range(5, 5 + length)),), "outcome", advantages=torch.ones(length))


def hands(examples: list[Example], size: int, budget: int) -> list[set[int]]:
    policy, dealt = tiny_policy(), []
    for rank in range(size):
        ranks = Ranks()
        ranks.rank, ranks.size = rank, size
        dealt.append(set(deal(policy, examples, budget, ranks)))
    return dealt


@pytest.mark.parametrize("budget", [16, 64, 4096])
@pytest.mark.parametrize("size", [2, 3])
def test_every_row_is_dealt_once(size: int, budget: int) -> None:
    examples = [row(f"p{number}", 1 + number % 4) for number in range(8) for _ in range(3)]
    dealt = hands(examples, size, budget)
    assert sorted(index for own in dealt for index in own) == list(range(len(examples)))
    loads = [sum(examples[index].num_decisions for index in own) for own in dealt]
    assert max(loads) <= 1.5 * min(loads)


def test_siblings_of_a_few_prompts_stay_together() -> None:
    examples = [row(f"{number}" * 40, 2) for number in range(4) for _ in range(4)]
    (one, other) = hands(examples, 2, 4096)
    assert {index // 4 for index in one}.isdisjoint(index // 4 for index in other)


def test_ranks_without_a_row_have_none() -> None:
    assert sorted(map(len, hands([row("only", 2)], 3, 64))) == [0, 0, 1]
    assert hands([], 2, 64) == [set(), set()]


def test_one_process_learns_all() -> None:
    assert deal(tiny_policy(), [row("a", 1), row("b", 2)], 64, ALONE) == {0, 1}
