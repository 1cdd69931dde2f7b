import pickle
import threading

import pytest

from backsight import errors
from backsight.errors import BacksightError, ConfigError, ModelError, RunFolderError, border, nearest, one_line, reason

BUILT_IN = {
    "ConfigError": ValueError,
    "DataError": ValueError,
    "ModelError": ValueError,
    "SpaceError": TypeError,
    "RewardError": RuntimeError,
    "EngineError": RuntimeError,
    "RunFolderError": OSError,
    "HubError": RuntimeError,
    "RankError": RuntimeError,
}


@pytest.mark.parametrize("name", BUILT_IN)
def test_each_error_names_field_value_and_remedy_in_one_line(name: str) -> None:
    error = getattr(errors, name)("stop.max_steps", "two\nlines", "use a number")
    assert str(error) == "stop.max_steps: two lines: use a number"
    assert isinstance(error, BacksightError)
    assert isinstance(error, BUILT_IN[name])
    assert (error.field, error.value, error.remedy) == ("stop.max_steps", "two\nlines", "use a number")


def test_every_class_is_in_the_drawing() -> None:
    classes = {error.__name__ for error in BacksightError.__subclasses__()}
    drawing = errors.__doc__ or ""
    assert classes == set(BUILT_IN)
    assert all(f"─ {name} " in drawing for name in classes)


def test_a_long_value_is_cut() -> None:
    assert len(str(ConfigError("data", "x" * 10_000, "shorter"))) < 300


def test_a_run_folder_error_is_not_printed_as_an_errno_pair() -> None:
    with pytest.raises(OSError, match=r"^folder: runs/a: is taken$"):
        raise RunFolderError("folder", "runs/a", "is taken")


def test_nearest_names_the_nearest_or_all() -> None:
    assert nearest("relable", ["outcome", "relabel"]) == "did you mean 'relabel'?"
    assert nearest("zzz", ["outcome", "relabel"]) == "known: outcome, relabel"


class Panic(BaseException):
    """What libraries in Rust raise: no `Exception`."""


@pytest.mark.parametrize(
    "error", [TypeError("no"), Panic("no"), SystemExit(3), RecursionError(), OSError(28, "No space")]
)
def test_whatever_a_library_throws_becomes_one_of_our_errors(error: BaseException) -> None:
    def make_error(reason: str) -> ModelError:
        return ModelError("policy", "a", f"does not load: {reason}")

    with pytest.raises(ModelError, match="^policy: a: does not load: ") as caught, border(make_error):
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ConfigError("a", 1, "b")])
def test_an_interruption_and_our_own_errors_pass_the_border(error: BaseException) -> None:
    with pytest.raises(type(error)), border(lambda reason: ModelError("policy", "a", reason)):
        raise error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyError("x"), "KeyError: 'x'"),
        (ValueError("no\n number"), "no number"),
        (RecursionError(), "RecursionError"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (ConfigError("a", 1, "b"), "a: 1: b"),
    ],
)
def test_a_reason_says_what_was_thrown(error: BaseException, words: str) -> None:
    assert reason(error) == words


def test_a_line_keeps_its_field_and_both_ends_of_its_remedy() -> None:
    line = one_line("f" * 500, "v" * 500, f"first {'x' * 900} last")
    assert len(line) <= 290
    field, value, remedy = line.split(": ")
    assert (
        field.startswith("fff")
        and value.startswith("vvv")
        and remedy.startswith("first xxx")
        and remedy.endswith("x last")
    )


def test_what_a_terminal_would_obey_is_written_out() -> None:
    assert str(ConfigError("a", "\x1b[31m\u2028\u202e", "b\x00")) == "a: \\x1b[31m \\u202e: b\\x00"


def test_a_value_that_cannot_be_shown_is_named_by_its_class() -> None:
    class Shy:
        def __str__(self) -> str:
            raise RuntimeError

    assert str(ConfigError("a", Shy(), "b")) == "a: a Shy that cannot be shown: b"


def test_an_error_is_the_same_in_another_process() -> None:
    value = threading.Lock()  # which cannot be sent
    for error in (RunFolderError("run folder", value, "move it"), ConfigError("seed", "x" * 300, "write a number")):
        copy = pickle.loads(pickle.dumps(error))
        assert type(copy) is type(error) and str(copy) == str(error)
        assert (copy.field, copy.remedy) == (error.field, error.remedy)
