import pytest

from packtrain.kernels.common.errors import UserError, choose, nearest


def test_a_users_error_is_a_value_error() -> None:
    assert issubclass(UserError, ValueError)


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("sine", ["exp", "sin", "sinh"], " (did you mean sin or sinh?)"),
        ("lr", ["optimizer.lr", "loop.steps"], " (did you mean optimizer.lr?)"),
        ("optimiser.lr", ["optimizer.lr", "seed"], " (did you mean optimizer.lr?)"),
        ("qqq", ["exp", "sin"], ""),
        ("sin", [], ""),
    ],
)
def test_nearest_hints_at_like_words_and_like_last_parts(word: str, known: list[str], hint: str) -> None:
    assert nearest(word, iter(known)) == hint


def test_nearest_names_at_most_three() -> None:
    assert nearest("lr", [f"part_{i}.lr" for i in range(9)]).count(" or ") == 2


def test_choose_gives_the_tables_entry() -> None:
    assert choose({"adam": 1, "sgd": 2}, "sgd", "optimizer.kind") == 2


def test_choose_names_the_field_the_choices_and_the_nearest() -> None:
    with pytest.raises(UserError) as refused:
        choose({"adam": 1, "sgd": 2}, "adamm", "optimizer.kind")
    assert str(refused.value) == "optimizer.kind is one of adam, sgd; got 'adamm' (did you mean adam?)"
