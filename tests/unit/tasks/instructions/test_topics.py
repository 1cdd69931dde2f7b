"""Topics and requests, and what is held out of them."""

from __future__ import annotations

import random

from backsight.tasks.instructions.topics import HELD_OUT_TOPICS, REQUESTS, TOPICS, draw_request, is_held_out


def test_no_topic_is_on_both_sides() -> None:
    topics = [*TOPICS, *HELD_OUT_TOPICS]
    assert len(topics) == len(set(topics)) > 250
    assert all(topic == topic.strip() for topic in topics)


def test_one_pairing_in_ten_is_held_out_for_good() -> None:
    held_out = [is_held_out(topic, request) for topic in TOPICS for request in REQUESTS]
    assert 0.08 < sum(held_out) / len(held_out) < 0.12
    assert [topic for topic in TOPICS[:12] if is_held_out(topic, REQUESTS[0])] == [
        "vegetable soup",
        "leftover rice",
        "a picnic basket",
    ]
    assert not any(all(is_held_out(topic, request) for request in REQUESTS) for topic in TOPICS)


def test_a_request_comes_from_the_side_that_is_asked_for() -> None:
    rng = random.Random(0)
    trained = {draw_request(TOPICS, rng, held_out=False) for _ in range(2000)}
    held_out = {draw_request(TOPICS, rng, held_out=True) for _ in range(2000)}
    assert not trained & held_out
    assert draw_request(["tea"], rng) in {request.format(topic="tea") for request in REQUESTS}
