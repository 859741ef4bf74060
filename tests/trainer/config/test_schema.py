"""The schema and the files of conf/."""

from pathlib import Path

import pytest
import yaml

from packtrain.trainer.config.schema import KINDS, all_fields, is_per_run, per_run_fields
from tests.helpers import EXPERIMENTS
from tests.trainer.configs import CONF, pack_of

FIELDS = dict(all_fields())
GROUPS = sorted(folder.name for folder in CONF.iterdir() if folder.is_dir() and folder.name != "__pycache__")
OPTIONS = [
    (group, file) for group in GROUPS if group != "experiment" for file in (CONF / group).glob("*.yaml")
]
NEEDED = {
    ("optimizer", "custom"): ["optimizer.update='p = p - lr*g'"],
    ("schedule", "custom"): ["schedule.factor='1 - step/steps'"],
}
MLP = ("model=mlp", "model.widths=[2,3]", "data=gaussians")


def paths(given: object, prefix: str) -> list[str]:
    """The dotted fields that a YAML file sets; what is inside a free mapping is the user's own."""
    if not isinstance(given, dict) or prefix.rstrip(".") in FIELDS:
        return [prefix.rstrip(".")]
    return [path for key, value in given.items() for path in paths(value, f"{prefix}{key}.")]


@pytest.mark.parametrize(("group", "file"), OPTIONS, ids=lambda value: getattr(value, "stem", value))
def test_every_field_of_an_option_is_in_the_schema(group: str, file: Path) -> None:
    assert set(paths(yaml.safe_load(file.read_text()), f"{group}.")) <= set(FIELDS)


@pytest.mark.parametrize(
    "file", [CONF / "train.yaml", *(CONF / "experiment").rglob("*.yaml")], ids=lambda f: f.stem
)
def test_every_field_of_an_experiment_is_in_the_schema(file: Path) -> None:
    given = {
        key: value
        for key, value in yaml.safe_load(file.read_text()).items()
        if key not in ("defaults", "hydra")
    }
    assert set(paths(given, "")) <= set(FIELDS)


@pytest.mark.parametrize("group", KINDS)
def test_the_kinds_of_a_group_are_its_options(group: str) -> None:
    assert set(KINDS[group]) == {file.stem for file in (CONF / group).glob("*.yaml")}
    for kind in KINDS[group]:
        assert yaml.safe_load((CONF / group / f"{kind}.yaml").read_text())["kind"] == kind


@pytest.mark.parametrize("group", KINDS)
def test_an_option_sets_all_fields_of_its_kind_and_no_others(group: str) -> None:
    for kind in KINDS[group]:
        given = set(yaml.safe_load((CONF / group / f"{kind}.yaml").read_text())) - {"kind"}
        for path, meta in FIELDS.items():
            owner, _, leaf = path.partition(".")
            if owner == group and meta.get("kinds"):
                assert (leaf in given) == (kind in meta["kinds"]), f"{path} in {kind}.yaml"


@pytest.mark.sampled(5)
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_passes(experiment: str) -> None:
    assert pack_of(f"experiment={experiment}").config.name == experiment.partition("/")[0]


@pytest.mark.sampled(18)
@pytest.mark.parametrize(("group", "file"), OPTIONS, ids=lambda value: getattr(value, "stem", value))
def test_every_option_composes_and_passes(group: str, file: Path) -> None:
    context = MLP if (group, file.stem) in (("model", "mlp"), ("data", "gaussians")) else ()
    context = (*context, *NEEDED.get((group, file.stem), ()))
    pack_of(
        "~experiment", *(each for each in context if not each.startswith(f"{group}=")), f"{group}={file.stem}"
    )


def test_what_may_vary_is_told_by_its_path() -> None:
    assert all(is_per_run(path.replace("*", "a")) for path in per_run_fields())
    assert not any(is_per_run(path) for path in ("data.seed", "model.initial", "optimizer", "lr", ""))
