"""The command line, with a judge that is down on one of the ranks, in the second step."""

from __future__ import annotations

import sys
from typing import Any

from backsight.cli.main import main
from backsight.distributed.environment import own_rank
from backsight.errors import RewardError
from backsight.feedback.pool import FeedbackPool

judge = FeedbackPool._judge_part


def fail(self: FeedbackPool, part: Any, seed: int, step: int | None) -> Any:
    if step == 1 and own_rank() == rank:
        raise RewardError("judge", "down", "mend it")
    return judge(self, part, seed, step)


rank = int(sys.argv.pop(1))
FeedbackPool._judge_part = fail  # type: ignore[method-assign]
main()
