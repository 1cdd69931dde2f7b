"""What a report is made of."""

from backsight.reports.document import Figure, Report, Table


def test_a_table_has_the_columns_of_all_its_rows() -> None:
    assert Table("t", {"a": {"x": "1"}, "b": {"y": "2"}}).columns == ["x", "y"]
    assert Table("t", {}).columns == []


def test_the_tables_of_a_report_are_its_parts_without_the_figures() -> None:
    first, second = Table("first", {}), Table("second", {})
    assert Report("r", {}, [], [first, Figure("f", "steps", {}), second]).tables == [first, second]
