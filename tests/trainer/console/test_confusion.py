"""The table of a confusion matrix."""

from io import StringIO

from rich.console import Console

from packtrain.trainer.console.confusion import confusion_columns, print_confusion


def printed(classes: list[str], counts: list[list[int]], width: int = 80) -> str:
    out = StringIO()
    print_confusion(Console(file=out, width=width), {"classes": classes, "counts": counts})
    return out.getvalue()


def square(size: int) -> list[list[int]]:
    return [[row * size + column for column in range(size)] for row in range(size)]


def test_what_has_no_room_goes_on_below() -> None:
    text = printed([f"flower {k}" for k in range(20)], square(20), width=60)
    assert all(f"as flower {k}" in text for k in range(20)) and max(map(len, text.splitlines())) <= 60


def test_of_many_classes_one_line_says_where_they_are() -> None:
    text = printed([str(k) for k in range(21)], square(21))
    assert text == "  confusion of 21 classes: result.json has the counts\n"


def test_a_class_without_samples_has_no_recall() -> None:
    *_, recalls = confusion_columns({"classes": ["a", "b"], "counts": [[0, 0], [1, 3]]})
    assert recalls.texts == ["-", "0.75"]


def test_a_name_that_a_terminal_would_obey_is_quoted() -> None:
    assert "\x1b[2J" not in printed(["\x1b[2J", "b"], square(2)) and "\\x1b[2J" in printed(["\x1b[2J"], [[1]])
