"""What `hca` and `cocoa` share: when the model learns, what is saved of it, and what it cannot read."""

import pytest
import torch
from unit.hindsight.fakes import SUCCESS, attempt, conveyor, give_credit, group_of, make_rows, walk

from backsight.errors import ConfigError
from backsight.hindsight.advantage.options import CocoaOptions, HCAOptions, HindsightModelOptions

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("options", [HCAOptions(num_updates=2), CocoaOptions(num_updates=2)], ids=lambda own: own.name)
def test_a_method_resumes_to_the_same_bits_and_disturbs_no_generator(options: HindsightModelOptions) -> None:
    group = group_of(*conveyor()[:4], conveyor()[-1])
    whole, resumed = options.build(), options.build()
    generator = torch.random.get_rng_state()
    give_credit(whole, group, num_fits=2)
    resumed.load_state(whole.state())
    assert give_credit(whole, group, num_fits=3) == give_credit(resumed, group, num_fits=3)
    assert whole.state().keys() == resumed.state().keys()
    assert torch.equal(generator, torch.random.get_rng_state())


def test_a_method_that_has_seen_nothing_has_no_state_and_gives_no_credit() -> None:
    method = CocoaOptions().build()
    nothing = group_of(walk([0, 1], [0, 1], [0.0, 0.0], 2))
    assert give_credit(method, nothing, num_fits=3) == [[0.0, 0.0]]
    assert method.state() == {}
    method.load_state({})


def test_attempts_are_judged_by_what_was_known_before_them() -> None:
    method = HCAOptions(hidden_size=64, num_updates=100).build()
    by_chance = group_of(walk([0], [1], [1.0], 2), walk([0], [1], [1.0], 2))
    assert give_credit(method, by_chance) == [[0.0], [0.0]]
    assert all(credit > 0.2 for (credit,) in give_credit(method, by_chance))


@pytest.mark.parametrize("options", [HCAOptions(), CocoaOptions()], ids=lambda own: own.name)
def test_words_are_refused_with_a_remedy(options: HindsightModelOptions) -> None:
    with pytest.raises(ConfigError, match="hindsight: [a-z]+: .* use "):
        make_rows(options, group_of(attempt(feedback=SUCCESS)))
