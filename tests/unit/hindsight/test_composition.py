"""Methods together: those of the catalogue, and those of a user's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import pytest
import torch
from unit.hindsight.fakes import PAIR, FakeScorer, keys_of, make_rows

from backsight.errors import ConfigError
from backsight.hindsight.advantage.options import (
    CoRTOptions,
    CSCROptions,
    GiGPOOptions,
    OPDOptions,
    RLSDOptions,
    TurnSightOptions,
    VineOptions,
)
from backsight.hindsight.base import Hindsight, LookBack, Outcome, Scorer, imitation_row
from backsight.hindsight.catalogue import ChainOptions, RouteOptions
from backsight.hindsight.composition import Chain, Route
from backsight.hindsight.options import MethodOptions, OutcomeOptions, OutcomeWeightOptions
from backsight.hindsight.response.options import GoldAnchorOptions, RecordedOptions, SupervisedOptions
from backsight.hindsight.reward.options import RescoreOptions, ShapingOptions
from backsight.hindsight.target.options import SelfDistillOptions, SRDOptions, SRPOOptions
from backsight.types import Feedback, Group


class DoubleOptions(MethodOptions):
    name: Literal["double"] = "double"

    def build(self) -> Double:
        return Double(self)


class Double(Hindsight[DoubleOptions]):
    """Thinks twice of everything."""

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        return LookBack([replace(each, advantages=tuple(2 * own for own in each.advantages)) for each in groups], [])


class ImitateOptions(OutcomeWeightOptions):
    name: Literal["imitate"] = "imitate"

    def build(self) -> Imitate:
        return Imitate(self)


class Imitate(Hindsight[ImitateOptions]):
    """Adds a row for each attempt, weighted by what it is thought to be worth."""

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        rows = [
            replace(imitation_row(("other",), each.responses, "imitate", trajectory=each), weight=float(own[0]))
            for group in groups
            for each, own in zip(group.trajectories, group.advantages, strict=True)
        ]
        return LookBack(groups, rows)


class CommentOptions(OutcomeWeightOptions):
    name: Literal["comment"] = "comment"

    def build(self) -> Comment:
        return Comment(self)


class Comment(Hindsight[CommentOptions]):
    """Reveals something more, so that every attempt is another object."""

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        def comment(group: Group) -> Group:
            told = (each.with_feedback(replace(each.feedback, text="hm")) for each in group.trajectories)
            return replace(group, trajectories=tuple(told))

        return LookBack(list(map(comment, groups)), [])


class CountOptions(MethodOptions):
    name: Literal["count"] = "count"

    def build(self) -> Count:
        return Count(self)


class Count(Hindsight[CountOptions]):
    """Has something to save."""

    def __init__(self, options: CountOptions, count: float = 0.0) -> None:
        super().__init__(options)
        self.count = count

    def fit(self, groups: Sequence[Group], scorer: Scorer) -> None:
        self.count += sum(float(own[0]) for group in groups for own in group.advantages[:1])

    def state(self) -> dict[str, torch.Tensor]:
        return {"count": torch.tensor(self.count)}

    def load_state(self, state: dict[str, torch.Tensor]) -> None:  # type: ignore[override]
        self.count = float(state["count"])


class TestChain:
    def test_it_is_sequence_and_union(self) -> None:
        examples = make_rows(ChainOptions(methods=(DoubleOptions(), ImitateOptions())), PAIR)
        assert [each.method for each in examples] == ["outcome", "outcome", "imitate", "imitate"]
        assert [each.advantages.tolist() for each in examples[:2] if each.advantages is not None] == [
            [2.0] * 3,
            [-2.0] * 2,
        ]
        assert [each.weight for each in examples[2:]] == [2.0, -2.0]

    def test_a_member_sees_what_those_before_it_made_and_not_what_comes_after(self) -> None:
        examples = make_rows(ChainOptions(methods=(ImitateOptions(), DoubleOptions())), PAIR)
        assert [each.weight for each in examples if each.method == "imitate"] == [1.0, -1.0]
        # the policy gradient comes last
        sampled = [each.advantages.tolist() for each in examples if each.advantages is not None]
        assert sampled == [[2.0] * 3, [-2.0] * 2]

    def test_what_was_sampled_is_reinforced_once_and_only_if_a_member_wants_it(self) -> None:
        wanted = ChainOptions(methods=(OutcomeOptions(), ImitateOptions(outcome_weight=1.0), DoubleOptions()))
        assert len(make_rows(wanted, PAIR)) == 4
        assert len(make_rows(ChainOptions(methods=(ImitateOptions(), ImitateOptions())), PAIR)) == 4
        weights = tuple(ImitateOptions(outcome_weight=weight) for weight in (0.5, 0.25))
        assert ChainOptions(methods=weights).policy_gradient_weight == 0.5
        assert Chain([each.build() for each in weights]).options.policy_gradient_weight == 0.5

    def test_a_route_in_a_chain_brings_its_own_rows_and_is_reinforced_no_more(self) -> None:
        route = RouteOptions(then=OutcomeOptions(), otherwise=ImitateOptions())
        examples = make_rows(ChainOptions(methods=(DoubleOptions(), route)), PAIR)
        assert [(each.method, key) for each, key in zip(examples, keys_of(examples), strict=True)] == [
            ("outcome", (0, 0)),
            ("outcome", (0, 1)),
            ("imitate", (0, 1)),
            ("outcome", (0, 0)),
        ]
        lone = make_rows(ChainOptions(methods=(route,)), PAIR)
        assert [(each.method, key) for each, key in zip(lone, keys_of(lone), strict=True)] == [
            ("imitate", (0, 1)),
            ("outcome", (0, 0)),
        ]

    @pytest.mark.parametrize("trusts", [True, False])
    @pytest.mark.parametrize(
        "route", [SRPOOptions(), RouteOptions(then=OutcomeOptions(), otherwise=SelfDistillOptions())]
    )
    def test_behind_a_new_score_a_route_still_chooses_what_is_reinforced(
        self, route: MethodOptions, trusts: bool
    ) -> None:
        feedback = [
            Feedback(success=each, rewards={"hindsight": float(each)}, correction="no") for each in (True, False)
        ]
        attempts = tuple(each.with_feedback(own) for each, own in zip(PAIR.trajectories, feedback, strict=True))
        chain = ChainOptions(methods=(RescoreOptions(), route))
        rows = make_rows(chain, replace(PAIR, trajectories=attempts), scorer=FakeScorer(trusts=trusts))
        found = {key: (row.method, row.advantages) for key, row in zip(keys_of(rows), rows, strict=True)}
        assert len(found) == len(rows) == 2
        assert [found[0, 0][0], found[0, 1][0]] == ["outcome", "self_distill" if trusts else "outcome"]
        assert found[0, 0][1] is not None and found[0, 0][1].tolist() == [0.5] * 3

    def test_rows_of_an_attempt_join_when_a_member_in_between_replaced_it(self) -> None:
        class ImitateAsAsked(Imitate):
            def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
                rows = super().reconsider(groups, scorer).examples
                return LookBack(groups, [replace(each, prompts=each.trajectory.prompts) for each in rows])  # type: ignore[union-attr]

        one = ImitateAsAsked(ImitateOptions())
        rows = make_rows(Chain([one, Comment(CommentOptions()), Outcome(OutcomeOptions())]), PAIR)
        assert [each.method for each in rows] == ["outcome+imitate"] * 2
        # that of the policy gradient came first, and it is the attempt as it was seen in the end
        assert [each.trajectory.feedback.text for each in rows if each.trajectory is not None] == ["hm", "hm"]

    def test_members_learn_from_the_groups_as_those_before_them_left_them(self) -> None:
        chain = Chain([DoubleOptions().build(), one := Count(CountOptions())])
        chain.look_back([PAIR], FakeScorer())
        assert one.count == 2.0

    def test_its_state_is_that_of_its_members(self) -> None:
        one, two = Count(CountOptions(), 3.0), Count(CountOptions(), 4.0)
        restored = Chain([Count(CountOptions()), OutcomeOptions().build(), Count(CountOptions())])
        restored.load_state(Chain([one, OutcomeOptions().build(), two]).state())
        assert [each.count for each in restored.members if isinstance(each, Count)] == [3.0, 4.0]

    def test_its_options_are_those_of_its_members(self) -> None:
        methods = (OutcomeOptions(), ImitateOptions(outcome_weight=0.5))
        chain = ChainOptions(methods=methods)
        assert chain.build().options == Chain([each.build() for each in methods]).options == chain

    def test_it_needs_a_member(self) -> None:
        for make in (lambda: Chain([]), lambda: ChainOptions(methods=())):
            with pytest.raises(ConfigError, match=r"methods: \(\): is empty; name at least 1"):
                make()


class TestRoute:
    def test_each_attempt_goes_one_way(self) -> None:
        examples = make_rows(RouteOptions(then=OutcomeOptions(), otherwise=ImitateOptions()), PAIR)
        assert len(examples) == 2
        assert set(zip([each.method for each in examples], keys_of(examples), strict=True)) == {
            ("outcome", (0, 0)),
            ("imitate", (0, 1)),
        }

    def test_a_failure_of_which_the_other_can_make_nothing_falls_to_the_first(self) -> None:
        examples = make_rows(RouteOptions(then=ImitateOptions(), otherwise=ImitateOptions()), PAIR)
        assert keys_of(examples) == [(0, 1), (0, 0)]
        silent = Hindsight(ImitateOptions())  # makes no row
        examples = make_rows(Route(Imitate(ImitateOptions()), silent), PAIR)
        assert keys_of(examples) == [(0, 0), (0, 1)]

    def test_an_attempt_that_a_branch_replaced_is_still_the_same(self) -> None:
        branch = ChainOptions(methods=(CommentOptions(), ImitateOptions()))
        examples = make_rows(RouteOptions(then=OutcomeOptions(), otherwise=branch), PAIR)
        # nothing of the failure falls to `then`
        assert [(each.method, key) for each, key in zip(examples, keys_of(examples), strict=True)] == [
            ("imitate", (0, 1)),
            ("outcome", (0, 0)),
        ]
        assert [each.trajectory.feedback for each in examples if each.trajectory is not None] == [
            Feedback(success=False, text="hm"),
            Feedback(success=True),
        ]

    def test_siblings_that_are_one_object_are_two_attempts(self) -> None:
        wrong = PAIR.trajectories[1]
        group = Group("start", (wrong, wrong), (-torch.ones(2), -torch.ones(2)))
        examples = make_rows(RouteOptions(then=OutcomeOptions(), otherwise=ImitateOptions()), group)
        assert keys_of(examples) == [(0, 0), (0, 1)]

    def test_both_see_the_groups_as_they_came(self) -> None:
        examples = make_rows(RouteOptions(then=DoubleOptions(), otherwise=ImitateOptions()), PAIR)
        assert [each.weight for each in examples if each.method == "imitate"] == [-1.0]
        assert [each.advantages.tolist() for each in examples if each.advantages is not None] == [[2.0] * 3]

    def test_its_state_is_that_of_its_branches(self) -> None:
        restored = Route(Count(CountOptions()), Count(CountOptions()))
        restored.load_state(Route(Count(CountOptions(), 3.0), Count(CountOptions(), 4.0)).state())
        assert [each.count for each in restored.members if isinstance(each, Count)] == [3.0, 4.0]

    def test_its_options_are_those_of_its_branches(self) -> None:
        route = RouteOptions(then=OutcomeOptions(), otherwise=ImitateOptions())
        assert route.build().options == Route(route.then.build(), route.otherwise.build()).options == route


class TestOneKind:
    """Members that sample and members that do not cannot be one method."""

    @pytest.mark.parametrize(
        ("methods", "names"),
        [
            ((OutcomeOptions(), SupervisedOptions()), "outcome, supervised"),
            ((RecordedOptions(), ImitateOptions()), "recorded, imitate"),
        ],
        ids=lambda each: each if isinstance(each, str) else "",
    )
    def test_a_mixture_is_refused_by_name(self, methods: tuple[MethodOptions, MethodOptions], names: str) -> None:
        one, other = methods
        refused = [
            lambda: ChainOptions(methods=methods),
            lambda: RouteOptions(then=one, otherwise=other),
            lambda: Chain([one.build(), other.build()]),
            lambda: Route(one.build(), other.build()),
        ]
        for make in refused:
            with pytest.raises(ConfigError, match=f"^hindsight: {names}: some learn from attempts and some without"):
                make()

    def test_several_that_do_not_sample_are_one_that_does_not(self) -> None:
        chain = ChainOptions(methods=(SupervisedOptions(), RecordedOptions()))
        assert not chain.learns_from_attempts and not chain.build().options.learns_from_attempts
        assert ChainOptions(methods=(OutcomeOptions(),)).learns_from_attempts

    def test_a_route_between_two_that_do_not_sample_does_not_either(self) -> None:
        assert not RouteOptions(then=SupervisedOptions(), otherwise=RecordedOptions()).learns_from_attempts


class TestOrder:
    @pytest.mark.parametrize(
        ("first", "second", "remedy"),
        [
            (
                OPDOptions(),
                RescoreOptions(),
                "rescore computes the advantages anew that opd changed; put rescore",
            ),
            (ShapingOptions(), RescoreOptions(), "rescore computes the rewards anew that shaping changed; put rescore"),
            (GiGPOOptions(), VineOptions(), "put vine before gigpo"),
            (RLSDOptions(), GoldAnchorOptions(), "put gold_anchor before rlsd"),
            (VineOptions(), GoldAnchorOptions(), "choose one of them"),
            (CSCROptions(), VineOptions(), "put vine before cscr"),
            (CoRTOptions(), RescoreOptions(), "put rescore before cort"),
            (TurnSightOptions(), GoldAnchorOptions(), "put gold_anchor before turnsight"),
        ],
    )
    def test_a_member_that_undoes_another_is_refused(
        self, first: MethodOptions, second: MethodOptions, remedy: str
    ) -> None:
        with pytest.raises(ConfigError, match=remedy):
            ChainOptions(methods=(first, second))
        with pytest.raises(ConfigError, match=remedy):
            ChainOptions(methods=(OutcomeOptions(), first, ImitateOptions(), second))
        if "put" in remedy:
            assert len(ChainOptions(methods=(second, first)).methods) == 2

    @pytest.mark.parametrize(
        "methods",
        [
            (RescoreOptions(), ShapingOptions()),
            (RescoreOptions(), VineOptions()),
            (OPDOptions(), ImitateOptions()),
            (GiGPOOptions(), TurnSightOptions(), SRDOptions()),
        ],
    )
    def test_what_builds_on_another_is_welcome(self, methods: tuple[MethodOptions, ...]) -> None:
        assert ChainOptions(methods=methods).methods == methods
