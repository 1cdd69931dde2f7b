"""How steps that saw the same are found."""

import numpy as np

from backsight.hindsight.advantage.same_state import state_key
from backsight.types import PartialCompletion


def test_the_same_observation_has_the_same_key() -> None:
    message = [{"role": "user", "content": "go"}]
    one, same, other = (PartialCompletion("go", tokens) for tokens in ((1,), (1,), (2,)))
    assert state_key(message) == state_key([{"content": "go", "role": "user"}])
    assert state_key(np.zeros(2)) == state_key(np.zeros(2)) != state_key(np.zeros(2, np.float32))
    assert state_key(one) == state_key(same) != state_key(other)
    different = [state_key(each) for each in ("go", message, np.zeros(2), PartialCompletion("go", ()))]
    assert len(set(different)) == 4
