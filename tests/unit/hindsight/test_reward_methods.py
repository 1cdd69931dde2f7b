"""Methods that change the reward: rescore, shaping, rudder."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch
from unit.hindsight.fakes import FakeScorer, attempt, group_of

from backsight.errors import ConfigError, RewardError
from backsight.estimators.advantages import reinforce
from backsight.estimators.returns import discounted_returns
from backsight.feedback.environment import POTENTIAL
from backsight.hindsight.rescore import Rescore
from backsight.hindsight.return_model import Lesson, ReturnModel
from backsight.hindsight.rudder import Rudder, redistributed
from backsight.hindsight.shaping import Shaping
from backsight.types import Action, Begun, Feedback, Group, Step, Trajectory


def judged(foresight: float, outcome: str | None = None, **rewards: float) -> Trajectory:
    return attempt(feedback=Feedback(rewards=rewards, reward=foresight, outcome=outcome))


def episode(
    actions: Sequence[int],
    rewards: Sequence[float],
    *,
    potentials: Sequence[float] | None = None,
    feedback: Feedback = Feedback(),  # noqa: B008
) -> Trajectory:
    """One decision a step; what is observed is the number of the step."""
    steps = [
        Step(
            np.array([float(number)], dtype=np.float32),
            Action(np.array([action]), torch.tensor([-0.7])),
            reward,
            terminated=number == len(actions) - 1,
            info={} if potentials is None else {POTENTIAL: potentials[number]},
        )
        for number, (action, reward) in enumerate(zip(actions, rewards, strict=True))
    ]
    return Trajectory(0, tuple(steps), feedback)


class ByStep(FakeScorer):
    """Advantages by `reinforce`, which tells the steps of an episode apart."""

    def estimate(self, groups: Sequence[Group]) -> list[Group]:
        estimated = reinforce([[discounted_returns(each.rewards, 1.0) for each in g.trajectories] for g in groups])
        return [Group(g.start, g.trajectories, own) for g, own in zip(groups, estimated, strict=True)]


class TestRescore:
    def test_the_named_reward_counts_and_the_former_one_is_kept(self) -> None:
        group = group_of(judged(1.0, utility=-1.0), judged(0.0, utility=3.0))
        (rescored,) = Rescore("utility").revalue([group], FakeScorer())
        assert [each.rewards for each in rescored.trajectories] == [[-1.0], [3.0]]
        assert [each.feedback.rewards for each in rescored.trajectories] == [
            {"utility": -1.0, "foresight": 1.0, "hindsight": -1.0},
            {"utility": 3.0, "foresight": 0.0, "hindsight": 3.0},
        ]
        assert [each.tolist() for each in group.advantages] == [[0.5, 0.5], [-0.5, -0.5]]
        assert [each.tolist() for each in rescored.advantages] == [[-2.0, -2.0], [2.0, 2.0]]

    def test_a_judge_sees_the_outcome_and_replaces_what_the_environment_paid(self) -> None:
        one = episode([0, 1], [5.0, 5.0], feedback=Feedback(outcome="returned the item"))
        other = episode([1, 1], [0.0, 0.0], feedback=Feedback(outcome="kept the item"))
        method = Rescore(judge=lambda seen: float(seen.feedback.outcome == "kept the item"))
        (rescored,) = method.revalue([group_of(one, other)], FakeScorer())
        assert [each.rewards for each in rescored.trajectories] == [[0.0, 0.0], [0.0, 1.0]]
        assert [each.feedback.rewards["foresight"] for each in rescored.trajectories] == [10.0, 0.0]

    def test_an_attempt_of_which_nothing_is_said_counts_neither_way(self) -> None:
        group = group_of(judged(9.0, hindsight=1.0), judged(9.0, hindsight=0.0), judged(9.0))
        (rescored,) = Rescore().revalue([group], FakeScorer())
        assert [each.tolist() for each in rescored.advantages] == [[0.5, 0.5], [-0.5, -0.5], [0.0, 0.0]]
        assert "hindsight" not in rescored.trajectories[2].feedback.rewards

    def test_a_silent_group_earns_nothing_when_another_is_judged(self) -> None:
        groups = [group_of(judged(9.0)), group_of(judged(0.0, hindsight=2.0))]
        rescored = Rescore().revalue(groups, FakeScorer())
        assert [each.trajectories[0].rewards for each in rescored] == [[0.0], [2.0]]

    def test_a_name_that_nobody_has_is_an_error_that_lists_the_others(self) -> None:
        group = group_of(judged(1.0, rating=1.0, length=2.0))
        with pytest.raises(ConfigError, match=r"hindsight\.reward: utility: .*there are: length, rating"):
            Rescore("utility").revalue([group], FakeScorer())

    @pytest.mark.parametrize("answer", [math.nan, "good", None])
    def test_a_judge_has_to_answer_with_a_number(self, answer: object) -> None:
        with pytest.raises(RewardError, match=r"hindsight\.judge: .*a reward is a finite number"):
            Rescore(judge=lambda seen: answer).revalue([group_of(attempt())], FakeScorer())  # type: ignore[arg-type,return-value]

    def test_a_judge_that_raises_is_named(self) -> None:
        def judge(seen: Trajectory) -> float:
            raise KeyError("price")

        with pytest.raises(RewardError, match=r"hindsight\.judge: raised KeyError: 'price': mend the function"):
            Rescore(judge=judge).revalue([group_of(attempt())], FakeScorer())

    @pytest.mark.parametrize("groups", [[], [Group("start")]])
    def test_nothing_to_judge(self, groups: list[Group]) -> None:
        assert Rescore()(groups, FakeScorer()) == []


class TestShaping:
    def test_each_step_is_paid_the_change_of_the_potential(self) -> None:
        one = episode([0, 0, 0], [0.0, 1.0, 2.0], potentials=[4.0, 6.0, 10.0])
        (shaped,) = Shaping(discount=0.5).revalue([group_of(one)], FakeScorer())
        # 0 + 0.5·6 - 4,  1 + 0.5·10 - 6,  2 + 0.5·0 - 10
        assert shaped.trajectories[0].rewards == [-1.0, 0.0, -8.0]

    @pytest.mark.parametrize("discount", [1.0, 0.9])
    @pytest.mark.parametrize("is_cut_off", [False, True])
    def test_returns_differ_by_the_potential_of_their_state_alone(self, discount: float, is_cut_off: bool) -> None:
        potentials = [3.0, -2.0, 0.5, 7.0]
        one = episode([0] * 4, [1.0, 0.0, -1.0, 2.0], potentials=potentials, feedback=Feedback(reward=5.0))
        if is_cut_off:
            last = one.steps[-1]
            cut = Step(last.observation, last.action, last.reward, truncated=True, info=last.info)
            one = Trajectory(0, (*one.steps[:-1], cut), one.feedback)
        (shaped,) = Shaping(discount).revalue([group_of(one)], FakeScorer())
        before = discounted_returns(one.rewards, discount)
        after = discounted_returns(shaped.trajectories[0].rewards, discount)
        torch.testing.assert_close(after, before - torch.tensor(potentials))

    def test_siblings_compared_by_whole_returns_stay_as_they_were(self) -> None:
        """All start in the same state, so that all lose the same."""
        one = episode([0, 0], [0.0, 1.0], potentials=[2.0, 5.0])
        other = episode([1, 0], [0.0, 0.0], potentials=[2.0, -3.0])
        group = group_of(one, other)
        (shaped,) = Shaping().revalue([group], FakeScorer())
        assert [each.tolist() for each in shaped.advantages] == [each.tolist() for each in group.advantages]

    def test_steps_are_told_apart_where_the_estimator_does(self) -> None:
        """The first step decides, and the second has nothing to do with it: its advantage fades."""
        good = episode([1, 0], [0.0, 1.0], potentials=[0.0, 1.0])
        bad = episode([0, 0], [0.0, 0.0], potentials=[0.0, 0.0])
        (shaped,) = Shaping().revalue([group_of(good, bad)], ByStep())
        # to go (1, 0) and (0, 0); less the means (0.5, 0); the deviation is sqrt((0.25 + 0 + 0.25 + 0)/4)
        torch.testing.assert_close(shaped.advantages[0], torch.tensor([0.5, 0.0]) / math.sqrt(0.125))

    def test_a_potential_that_is_given_reads_the_observation(self) -> None:
        one = episode([0, 0], [0.0, 0.0])
        (shaped,) = Shaping(potential=lambda observation: float(observation[0]) + 1).revalue([group_of(one)], ByStep())
        assert shaped.trajectories[0].rewards == [1.0, -2.0]

    def test_rewards_judged_in_hindsight_are_shaped_and_not_those_paid(self) -> None:
        one = episode([0, 0], [9.0, 9.0], potentials=[1.0, 2.0], feedback=Feedback(step_rewards=(0.0, 0.0)))
        (shaped,) = Shaping().revalue([group_of(one)], FakeScorer())
        assert shaped.trajectories[0].rewards == [1.0, -2.0]

    def test_a_step_without_a_potential_is_an_error(self) -> None:
        with pytest.raises(ConfigError, match=r"step\.info: nothing: put 'backsight/potential'"):
            Shaping().revalue([group_of(episode([0], [1.0]))], FakeScorer())

    def test_a_potential_is_a_finite_number(self) -> None:
        with pytest.raises(RewardError, match=r"step\.info\['backsight/potential'\]"):
            Shaping().revalue([group_of(episode([0], [1.0], potentials=[math.inf]))], FakeScorer())

    @pytest.mark.parametrize("groups", [[], [Group("start")]])
    def test_nothing_to_shape(self, groups: list[Group]) -> None:
        assert Shaping()(groups, FakeScorer()) == []


def delayed(seed: int, count: int = 16, length: int = 4) -> list[Group]:
    """The second action decides what is paid at the end."""
    random = np.random.default_rng(seed)
    trajectories = []
    for actions in random.integers(0, 2, (count, length)):
        trajectories.append(episode(actions, [0.0] * (length - 1) + [float(actions[1])]))
    return [group_of(*trajectories, start=0)]


@pytest.fixture
def one_thread() -> Iterator[None]:
    """For tensors so small several threads only wait for each other, long where the machine is busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
class TestRudder:
    def test_differences_of_predictions_and_an_even_residual(self) -> None:
        # changes 1, 2, -1; the return 5 is 3 more than the last prediction, 1 for each
        rewards = redistributed(torch.tensor([1.0, 3.0, 2.0], dtype=torch.float64), 5.0)
        assert rewards.tolist() == [2.0, 3.0, 0.0]

    def test_the_sum_is_kept_exactly_whatever_is_predicted(self) -> None:
        group = group_of(
            episode([0, 1, 1], [1.0, 0.0, 2.5]),
            episode([1], [-3.0], feedback=Feedback(reward=0.25)),
            episode([1, 0], [9.0, 9.0], feedback=Feedback(step_rewards=(0.0, 1.0), reward=1.0)),
        )
        method = Rudder(updates=2, first_lessons=1)
        method.fit([group], ByStep())
        (repaid,) = method.revalue([group], ByStep())
        assert [sum(each.rewards) for each in repaid.trajectories] == pytest.approx([3.5, -2.75, 2.0], abs=1e-12)
        assert [each.feedback.reward for each in repaid.trajectories] == [None, 0.25, 1.0]

    def test_before_enough_is_known_rewards_stay_as_they_were_paid(self) -> None:
        group = group_of(episode([0, 1], [0.0, 1.0]), episode([1, 1], [2.0, 0.0]))
        method = Rudder(updates=1, first_lessons=4)
        method.fit([group], ByStep())
        assert method.revalue([group], ByStep()) == [group]
        method.fit([group], ByStep())  # four by now
        (repaid,) = method.revalue([group], ByStep())
        assert repaid.trajectories[0].rewards != [0.0, 1.0]

    def test_the_step_that_decided_is_paid(self) -> None:
        method = Rudder(updates=40, learning_rate=1e-2)
        for seed in range(8):
            method.fit(delayed(seed), ByStep())
        (repaid,) = method.revalue(delayed(99), ByStep())
        rewards = torch.tensor([each.rewards for each in repaid.trajectories])
        decided = torch.tensor([bool(each.responses[1][0]) for each in repaid.trajectories])
        paid_S = rewards[decided].mean(0) - rewards[~decided].mean(0)
        assert paid_S[1] > 0.8
        assert paid_S[[0, 2, 3]].abs().max() < 0.2

    def test_tokens_of_a_completion_are_credited_one_by_one(self) -> None:
        def answers(seed: int) -> list[Group]:
            tokens = np.random.default_rng(seed).integers(40, 42, (16, 4)).tolist()
            return [group_of(*(attempt(each, Feedback(reward=float(each[2] == 41))) for each in tokens))]

        method, scorer = Rudder(updates=40, learning_rate=1e-2), FakeScorer()
        for seed in range(8):
            method.fit(answers(seed), scorer)
        (group,) = method.revalue(answers(99), scorer)
        advantages = torch.stack(list(group.advantages))
        is_right = torch.tensor([each.responses[0][2] == 41 for each in group.trajectories])
        torch.testing.assert_close(advantages[:, 0], is_right.float() - is_right.float().mean())
        # what came before the deciding token is as likely to end well as badly, what comes after changes nothing
        assert (advantages[is_right, 2] > 0.2).all()
        assert (advantages[~is_right, 2] < -0.2).all()
        assert advantages[:, 3].abs().max() < 0.2

    def test_equal_returns_without_anything_learnt_say_nothing(self) -> None:
        group = group_of(attempt((1, 2)), attempt((3, 4)))
        method = Rudder()
        assert [each.advantages.tolist() for each in method([group], FakeScorer()) if each.advantages is not None] == [
            [0.0, 0.0],
            [0.0, 0.0],
        ]

    def test_siblings_of_different_lengths(self) -> None:
        group = group_of(attempt((1,), Feedback(reward=1.0)), attempt((2, 3, 4), Feedback(reward=0.0)))
        rows = Rudder(updates=1)([group], FakeScorer())
        assert [row.num_decisions for row in rows] == [1, 3]
        assert all(row.advantages is not None and bool(row.advantages.isfinite().all()) for row in rows)

    def test_dialogues_are_read_turn_by_turn(self) -> None:
        turns = [
            Step("hello", Action((5, 6), torch.zeros(2))),
            Step([{"role": "user", "content": "go on"}], Action((7,), torch.zeros(1))),
            Step(Begun("end", (9, 9)), Action((8, 8, 8), torch.zeros(3)), terminated=True),
        ]
        one = Trajectory("start", tuple(turns), Feedback(reward=2.0))
        method, groups = Rudder(updates=1), [group_of(one)]
        method.fit(groups, FakeScorer())
        (repaid,) = method.revalue(groups, FakeScorer())
        assert len(repaid.trajectories[0].rewards) == 3
        assert sum(repaid.trajectories[0].rewards) == pytest.approx(2.0, abs=1e-12)

    def test_what_was_learnt_is_saved_to_the_last_bit(self) -> None:
        one = Rudder(lessons=20, updates=3)
        one.fit(delayed(0), ByStep())
        saved = {name: tensor.clone() for name, tensor in one.state().items()}
        other = Rudder(lessons=20, updates=3)
        other.load_state(saved)
        for method in (one, other):
            method.fit(delayed(1), ByStep())
        assert one.state().keys() == other.state().keys()
        assert all(torch.equal(tensor, other.state()[name]) for name, tensor in one.state().items())
        assert len(one.state()["totals"]) == 20

    def test_a_state_of_nothing(self) -> None:
        fresh = Rudder()
        fresh.load_state(Rudder().state())
        assert fresh.state() == {}

    def test_torchs_own_random_state_is_left_alone(self) -> None:
        torch.manual_seed(1)
        before = torch.get_rng_state()
        Rudder(updates=2).fit(delayed(0), ByStep())
        assert torch.equal(torch.get_rng_state(), before)

    @pytest.mark.parametrize("groups", [[], [Group("start")]])
    def test_nothing_to_redistribute(self, groups: list[Group]) -> None:
        assert Rudder()(groups, FakeScorer()) == []

    def test_tokens_beyond_the_table_share_its_rows(self) -> None:
        model = ReturnModel(4, 1, 1e-3, 4)
        lessons = [Lesson(torch.tensor([10**6, 3]), torch.tensor([0, 1]), 1.0)]
        model.fit(lessons)
        assert model.predict(lessons)[0].tolist() == [1.0, 1.0]  # the mean of all returns there are
