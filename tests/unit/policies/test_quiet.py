"""Silence while transformers works: nothing reaches the terminal, and afterwards all is as it was."""

import sys
import warnings

import pytest
from transformers.utils import logging

from backsight.policies.quiet import quiet


def test_nothing_is_printed_inside_and_everything_after_it(capsys: pytest.CaptureFixture[str]) -> None:
    level = logging.get_verbosity()
    with quiet():
        print("a bar of progress", file=sys.stderr)
        warnings.warn("a warning", stacklevel=1)
        logging.get_logger("transformers.test").warning("a word")
    print("an error", file=sys.stderr)
    assert capsys.readouterr().err == "an error\n"
    assert logging.get_verbosity() == level


def test_an_error_inside_passes() -> None:
    with pytest.raises(KeyError), quiet():
        raise KeyError("x")
