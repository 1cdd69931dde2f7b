import pytest

from backsight import errors
from backsight.errors import BacksightError, ConfigError, RunFolderError, nearest

BUILT_IN = {
    "ConfigError": ValueError,
    "DataError": ValueError,
    "ModelError": ValueError,
    "SpaceError": TypeError,
    "RewardError": RuntimeError,
    "RunFolderError": OSError,
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
