"""All hindsight methods, from their settings."""

from __future__ import annotations

from backsight.hindsight.base import Hindsight
from backsight.hindsight.best_of_n import BestOfN
from backsight.hindsight.chain_of_hindsight import ChainOfHindsight
from backsight.hindsight.cocoa import Cocoa
from backsight.hindsight.command import Command
from backsight.hindsight.composition import Chain, Route, succeeded
from backsight.hindsight.condition import Condition
from backsight.hindsight.config import ChainConfig, HindsightConfig, RouteConfig
from backsight.hindsight.gigpo import HGPO, GiGPO
from backsight.hindsight.gold_anchor import GoldAnchor
from backsight.hindsight.graph_hca import GraphHCA
from backsight.hindsight.hca import HCA
from backsight.hindsight.hcapo import HCAPO
from backsight.hindsight.hir import HIR
from backsight.hindsight.opd import OPD
from backsight.hindsight.outcome import Outcome
from backsight.hindsight.preference import Preference
from backsight.hindsight.recorded import Recorded
from backsight.hindsight.relabel import Relabel
from backsight.hindsight.rescore import Rescore
from backsight.hindsight.revise import Revise
from backsight.hindsight.rlcsd import RLCSD
from backsight.hindsight.rlsd import RLSD
from backsight.hindsight.rudder import Rudder
from backsight.hindsight.self_distill import SelfDistill
from backsight.hindsight.shaping import Shaping
from backsight.hindsight.srpo import SRPO
from backsight.hindsight.supervised import Supervised
from backsight.hindsight.vine import Vine

METHODS: dict[str, type[Hindsight]] = {
    "outcome": Outcome,
    "rescore": Rescore,
    "shaping": Shaping,
    "rudder": Rudder,
    "relabel": Relabel,
    "hir": HIR,
    "condition": Condition,
    "command": Command,
    "chain_of_hindsight": ChainOfHindsight,
    "supervised": Supervised,
    "revise": Revise,
    "gold_anchor": GoldAnchor,
    "recorded": Recorded,
    "hca": HCA,
    "cocoa": Cocoa,
    "hcapo": HCAPO,
    "graph_hca": GraphHCA,
    "gigpo": GiGPO,
    "hgpo": HGPO,
    "opd": OPD,
    "rlsd": RLSD,
    "rlcsd": RLCSD,
    "vine": Vine,
    "best_of_n": BestOfN,
    "preference": Preference,
    "self_distill": SelfDistill,
    "srpo": SRPO,
}


def build(config: HindsightConfig) -> Hindsight:
    """The method that the settings name; its constructor takes what they hold."""
    match config:
        case ChainConfig():
            return Chain([build(each) for each in config.methods])
        case RouteConfig():
            return Route(succeeded, build(config.then), build(config.otherwise))
        case _:
            return METHODS[config.name](**config.model_dump(exclude={"name"}))
