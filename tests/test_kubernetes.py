"""The manifests of docs/guides/kubernetes ask for what can be trained, and agree with one another."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser

from packtrain.trainer.sweep.grid import make_grid
from packtrain.trainer.terminal.serve_words import read_serve, read_work
from tests.helpers import ROOT
from tests.trainer.configs import pack_of

FOLDER = ROOT / "docs" / "guides" / "kubernetes"
NOTHING = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
FILES = sorted(FOLDER.glob("*.yaml"))


def manifests(file: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(file.read_text()))


def pods(node: Any) -> list[dict[str, Any]]:
    """The specs of pods, wherever they are."""
    if isinstance(node, dict):
        own = [node] if "containers" in node else []
        return own + [pod for value in node.values() for pod in pods(value)]
    return [pod for value in node for pod in pods(value)] if isinstance(node, list) else []


PODS = {f"{file.stem}-{i}": pod for file in FILES for i, pod in enumerate(pods(manifests(file)))}


def test_each_kind_has_its_manifest() -> None:
    kinds = [manifest["kind"] for file in FILES for manifest in manifests(file)]
    assert sorted({*kinds}) == [
        "Deployment",
        "Job",
        "JobSet",
        "PersistentVolumeClaim",
        "Service",
        "StatefulSet",
    ]
    assert len(PODS) == 5
    page = (FOLDER.parent / "kubernetes.md").read_text()
    assert all(f"kubernetes/{file.name}" in page for file in FILES)


@pytest.mark.parametrize("name", PODS)
def test_a_pod_is_as_the_page_says(name: str) -> None:
    pod = PODS[name]
    claims = {claim["metadata"]["name"] for claim in manifests(FOLDER / "volumes.yaml")}
    (container,) = pod["containers"]
    assert container["image"] == "packtrain"
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 1000
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    mounted = [volume.get("persistentVolumeClaim") for volume in pod["volumes"]]
    claimed = {claim["claimName"] for claim in mounted if claim}
    assert claimed <= claims
    limits, requests = container["resources"]["limits"], container["resources"]["requests"]
    assert {*requests} == {"cpu", "memory"} and "memory" in limits


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", [name for name in PODS if not name.startswith("service")])
def test_its_command_can_be_trained(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (container,) = PODS[name]["containers"]
    words = container["args"]
    ours = [word for word in words if not word.startswith(("hydra.", "join="))]
    assert len(words) - len(ours) == 1 and words[-1].partition("=")[2].startswith("outputs/")
    grid = make_grid(OverridesParser.create().parse_overrides(ours))
    for choices in grid.combinations():
        assert pack_of(*grid.shared, *(choice.override for choice in choices)).runs


def test_the_service_and_its_workers_take_their_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("PACKTRAIN_TOKEN", "secret")
    (service,), (worker,) = (pod["containers"] for name, pod in PODS.items() if name.startswith("service"))
    assert service["args"][0] == "serve" and worker["args"][0] == "work"
    serving = read_serve(service["args"][1:])
    assert serving["devices"] == "none" and serving["port"] == service["ports"][0]["containerPort"]
    address = read_work([word.replace("$(POD)", "worker-1") for word in worker["args"][1:]])["server"]
    assert address == f"http://{serving['names'][0]}:{serving['port']}"
