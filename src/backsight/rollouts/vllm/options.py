"""Options of the engine that samples by a vLLM server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from backsight.errors import ConfigError
from backsight.rollouts.engine_options import EngineOptions

if TYPE_CHECKING:
    from backsight.policies.base import Policy
    from backsight.rollouts.base import Engine


class VllmOptions(EngineOptions):
    """Options of the engine that samples by a vLLM server, which runs already or is started by the run."""

    name: Literal["vllm"] = "vllm"
    url: str | None = None
    """Address of a server that runs already, such as ``http://127.0.0.1:8000``."""
    start: bool = False
    """Whether the run starts a server of its own on this machine, which ends with the run."""
    python: str | None = None
    """Python in which vLLM is installed, for a server that is started; ``none`` is the one that runs backsight."""
    arguments: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False)] = ()
    """More words for a server that is started, such as ``--tensor-parallel-size=2``."""
    transfer: Literal["folder", "nccl"] = "folder"
    """Way of new weights to the server: by a folder that both can read, or from GPU to GPU by NCCL."""
    timeout: Annotated[float, Field(gt=0)] = 600.0
    """Seconds after which a request to the server fails."""
    retries: Annotated[int, Field(ge=0, le=20)] = 5
    """Number of times that a request is sent again which has failed."""

    @model_validator(mode="after")
    def _has_one_server(self) -> Self:
        if self.url is None and not self.start:
            remedy = "set engine.url to the address of a vLLM server, or engine.start=true"
            raise ConfigError("engine.url", None, remedy)
        if self.url is not None and self.start:
            raise ConfigError("engine.start", True, "leave it out, or engine.url: a run has one server")
        if self.url is not None:
            parts = urlsplit(self.url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ConfigError("engine.url", self.url, "write an address such as http://127.0.0.1:8000")
        if self.arguments and not self.start:
            raise ConfigError("engine.arguments", self.arguments, "need engine.start=true")
        return self

    def build(self, policy: Policy) -> Engine:
        from backsight.distributed.ranks import connect
        from backsight.rollouts.vllm.engine import build_engine

        return build_engine(self, policy, connect())
