"""What a form needs of the config: all of it, as the schema and the files of conf/ have it."""

from typing import Any

from packtrain.trainer.config.options import groups
from packtrain.trainer.config.schema import all_fields, is_per_run
from packtrain.trainer.service.catalogue import catalogue

FIELDS: dict[str, dict[str, Any]] = {field["name"]: field for field in catalogue()["fields"]}


def test_every_field_is_there() -> None:
    kinds = {name for name, _ in all_fields() if name.endswith(".kind")}
    assert FIELDS.keys() | kinds == dict(all_fields()).keys()
    for name, field in FIELDS.items():
        assert field["per_run"] == is_per_run(f"{name}.a" if field["type"] == "mapping" else name), name


def test_what_is_said_of_a_field_is_what_its_file_says() -> None:
    lr, steps, order = FIELDS["optimizer.lr"], FIELDS["loop.steps"], FIELDS["loop.order"]
    assert (lr["type"], lr["default"], lr["per_run"]) == ("number", 0.001, True) and "adam" in lr["kinds"]
    assert (steps["default"], steps["nullable"]) == (1000, True) and "minibatches" in steps["comment"]
    assert order["choices"] == ["shared", "own", "sequential"]
    assert FIELDS["optimizer.eps"]["default"] == 1e-8  # of adam, which is the default
    assert "random" in FIELDS["search.rounds"]["kinds"]
    assert FIELDS["model.loss"]["suggested"][0] == "mse"


def test_most_fields_have_a_comment() -> None:
    assert sum(bool(field["comment"]) for field in FIELDS.values()) > 0.85 * len(FIELDS)


def test_every_choice_and_experiment_is_there() -> None:
    choices = {choice["name"]: choice for choice in catalogue()["choices"]}
    assert choices.keys() == {*groups()} - {"experiment"}
    assert choices["optimizer"]["default"] == choices["optimizer"]["options"][0]["name"] == "adam"
    assert choices["optimizer"]["options"][0]["values"]["lr"] == 0.001
    names = [experiment["name"] for experiment in catalogue()["experiments"]]
    assert {"digits", "descent/adam"} <= {*names}
    assert all(experiment["comment"] for experiment in catalogue()["experiments"])
