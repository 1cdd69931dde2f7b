"""The small predictor of returns."""

import pytest
import torch

from backsight.hindsight.reward.return_model import Lesson, ReturnModel

pytestmark = pytest.mark.usefixtures("one_thread")


def test_tokens_beyond_the_table_share_its_rows() -> None:
    model = ReturnModel(4, 1, 1e-3, 4)
    lessons = [Lesson(torch.tensor([10**6, 3]), torch.tensor([0, 1]), 1.0)]
    model.fit(lessons)
    assert model.predict(lessons)[0].tolist() == [1.0, 1.0]  # the mean of all returns there are
