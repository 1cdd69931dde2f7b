import copy
from collections.abc import Iterator

import pytest
from tests.fake_vllm import FakeVllm
from tests.tiny_models import tiny_policy

from backsight.errors import EngineError
from backsight.rollouts.vllm.client import Refusal, VllmClient

ROUTE = "/inference/v1/generate"
BODY = {
    "token_ids": [3, 4],
    "sampling_params": {
        "temperature": 1.0,
        "top_k": 0,
        "top_p": 1.0,
        "min_p": 0.0,
        "min_tokens": 0,
        "max_tokens": 2,
        "stop_token_ids": [],
        "stop": [],
        "seed": 1,
    },
}


@pytest.fixture
def server() -> Iterator[FakeVllm]:
    with FakeVllm(tiny_policy()) as fake:
        yield fake


def client(server: FakeVllm, retries: int = 3) -> VllmClient:
    made = VllmClient(server.url, 5.0, retries)
    made.first_wait = 0.01
    return made


def test_a_request_is_sent_again_as_often_as_it_may_be(server: FakeVllm) -> None:
    server.faults = ["500", "half", "500"]
    assert client(server).post(ROUTE, BODY)["choices"]
    assert server.asked[ROUTE] == 4
    server.faults = ["500"] * 4
    with pytest.raises(EngineError, match=r"answered 500: EngineCore encountered an issue. 4 times"):
        client(server).post(ROUTE, BODY)


def test_a_refusal_is_not_asked_for_again(server: FakeVllm) -> None:
    with pytest.raises(Refusal, match=r"refuses /nowhere \(404\): Not Found") as caught:
        client(server).post("/nowhere")
    assert caught.value.status == 404 and server.asked["/nowhere"] == 1


def test_one_request_that_fails_does_not_end_the_others(server: FakeVllm) -> None:
    bodies = [BODY, {**BODY, "model": "unknown"}, copy.deepcopy(BODY)]
    answers = dict(client(server).post_all(ROUTE, bodies))
    assert isinstance(answers[1], Refusal)
    assert answers[0]["choices"] == answers[2]["choices"], "the seed decides what is drawn"


def test_whoever_stops_listening_leaves_nothing_behind(server: FakeVllm) -> None:
    answers = client(server).post_all(ROUTE, [BODY] * 8)
    next(answers)
    answers.close()  # type: ignore[attr-defined]
