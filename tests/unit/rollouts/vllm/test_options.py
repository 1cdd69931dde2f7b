from typing import Any

import pytest

from backsight.errors import ConfigError
from backsight.rollouts.engine_options import EngineOptions
from backsight.rollouts.engines import ENGINES
from backsight.rollouts.vllm.options import VllmOptions


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "engine.url: None: set engine.url to the address of a vLLM server, or engine.start=true"),
        ({"url": "http://127.0.0.1:8000", "start": True}, "engine.start: True: leave it out, or engine.url"),
        ({"url": "127.0.0.1:8000"}, "engine.url: 127.0.0.1:8000: write an address such as"),
        ({"url": "http://127.0.0.1:8000", "arguments": ["--x"]}, "engine.arguments: .*: need engine.start=true"),
        ({"start": True, "timeout": 0}, "timeout"),
    ],
)
def test_a_run_has_one_server(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        VllmOptions.check(options)


def test_an_engine_is_chosen_by_its_name() -> None:
    for name in ENGINES.names():
        assert issubclass(ENGINES.find(name), EngineOptions)
        assert ENGINES.find(name).model_fields["name"].default == name
