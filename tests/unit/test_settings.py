"""Values that are checked once and do not change, and what is said of wrong ones."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, SerializeAsAny, ValidationError, model_validator

from backsight.errors import ConfigError
from backsight.registry import Registry
from backsight.settings import ByName, OneOf, Settings, by_name, group_of, known_keys


class Shape(Settings):
    """Any shape."""

    name: str


class Circle(Shape):
    """A round one."""

    name: Literal["circle"] = "circle"
    radius: Annotated[float, Field(gt=0)] = 1.0


class Square(Shape):
    """One with corners."""

    name: Literal["square"] = "square"
    side: int = 2


SHAPES: Registry[type[Shape]] = Registry("backsight.nothing", "shape", {"circle": Circle, "square": Square})


class Pen(Settings):
    """What is drawn with."""

    width: int = 1


class Drawing(Settings):
    """A shape and a pen."""

    title: str
    """What stands below."""
    shape: Annotated[SerializeAsAny[Shape], ByName(SHAPES)] = Circle()
    pen: Pen = Pen()
    spare: Pen | None = None
    tags: Annotated[tuple[str, ...], Field(strict=False)] = ()
    mode: Literal["fast", "slow"] = "fast"
    colour: Annotated[str, OneOf(["red", "green"])] = "red"

    @model_validator(mode="after")
    def _is_no_secret(self) -> Drawing:
        if self.title == "secret":
            raise ConfigError("title", self.title, "is not for everybody; choose another")
        return self


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"title": "a", "titel": "b"}, "titel: b: unknown; did you mean 'title'?"),
    ({"title": "a", "pen": {"with": 2}}, "pen.with: 2: unknown; did you mean 'pen.width'?"),
    ({"title": "a", "pen": {"width": True}}, "pen.width: True: must be a valid integer"),
    ({"title": "a", "colour": "gren"}, "colour: gren: did you mean 'green'?"),
    ({"title": 5}, "title: 5: must be text; put it into quotes: title='\"…\"'"),
    ({"title": "a", "tags": "b"}, "tags: b: must be a list: tags='[\"…\"]'"),
    ({"title": "a", "mode": "fats"}, "mode: fats: did you mean 'fast'?"),
    ({}, "title: missing: is needed; set it"),
    ({"title": "secret"}, "title: secret: is not for everybody; choose another"),
    ({"title": "a", "shape": "circel"}, "shape: circel: unknown; did you mean 'circle'?"),
    ({"title": "a", "shape": {"radius": 2.0}}, "shape.name: None: name a choice; known: circle, square"),
    ({"title": "a", "shape": {"name": "square", "radius": 2.0}},
     "shape.radius: 2.0: is an option of circle, not of square; leave it out"),
    ({"title": "a", "shape": {"name": "circle", "radius": -1.0}}, "shape.radius: -1.0: must be greater than 0"),
    ({"title": "a", "shape": {"name": "circle", "radus": 1.0}},
     "shape.radus: 1.0: unknown; did you mean 'shape.radius'?"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "complaint"), WRONG)
def test_what_is_wrong_is_one_line_in_python_and_from_a_dictionary(fields: dict[str, Any], complaint: str) -> None:
    for make in (lambda: Drawing(**fields), lambda: Drawing.check(fields)):
        with pytest.raises(ConfigError) as caught:
            make()
        assert str(caught.value) == complaint


def test_a_complaint_may_stand_behind_a_prefix() -> None:
    with pytest.raises(ConfigError, match=r"^paper.pen.with: 2: unknown; did you mean 'paper.pen.width'\?$"):
        Drawing.check({"title": "a", "pen": {"with": 2}}, prefix="paper.")


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Pen().width = 3  # type: ignore[misc]


@pytest.mark.parametrize("shape", ["square", {"name": "square"}, Square()])
def test_a_choice_is_a_name_a_dictionary_or_an_object(shape: Any) -> None:
    drawing = Drawing(title="a", shape=shape)
    assert drawing.shape == Square()
    assert drawing.model_dump()["shape"] == {"name": "square", "side": 2}
    assert Drawing.check(drawing.model_dump()) == drawing


def test_fields_that_hold_settings_are_known() -> None:
    assert by_name(Drawing, "shape") is SHAPES
    assert [by_name(Drawing, field) for field in ("pen", "title", "nothing")] == [None] * 3
    assert [group_of(Drawing, field) for field in ("pen", "spare")] == [Pen, Pen]
    assert [group_of(Drawing, field) for field in ("shape", "title", "tags", "nothing")] == [None] * 4


def test_all_keys_are_known_those_of_every_choice_as_well() -> None:
    assert list(known_keys(Drawing)) == [
        "title",
        "shape",
        "shape.name",
        "shape.radius",
        "shape.name",
        "shape.side",
        "pen.width",
        "spare.width",
        "tags",
        "mode",
        "colour",
    ]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"shape": {"name": "circle", "radius": 1e300}},
            r"^shape\.radius: 1e\+300: must be 0, or between 1e-30 and 1e\+09$",
        ),
        ({"shape": {"name": "circle", "radius": 5e-324}}, r"^shape\.radius: 5e-324: must be 0, or between"),
        ({"shape": {"name": "square", "side": 10**40}}, r"^shape\.side: 1000+: must be below 2\*\*63$"),
        ({"title": "a\0b"}, r"^title: a\\x00b: holds characters that no file can hold; leave them out$"),
        ({"title": "\ud800"}, r"^title: \\ud800: holds characters"),
        ({"tags": ("a", "b\0")}, r"^tags: .*: holds characters"),
    ],
)
def test_what_no_run_can_use_is_refused_in_every_field(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Drawing.check({"title": "a", **fields})
