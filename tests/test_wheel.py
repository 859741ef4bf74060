"""The wheel works in an environment of its own, beside Hugging Face's package `kernels`.

No network is needed: the new environment borrows torch and all other dependencies from this one, through a
.pth file that names its site-packages. The .pth files in there are not read, so the editable install of
packtrain stays unseen.
"""

import json
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from shutil import copy, copytree, ignore_patterns

import pytest

from tests.helpers import IMPORTABLE, ROOT, result_in, sources

BUILT_FROM = "pyproject.toml", "README.md", ".src", "conf", "kernels", "trainer", "docs"
LEFT_BEHIND = ignore_patterns("__pycache__", "*.egg-info")  # a list of files from an earlier build, say
# As scripts/setup.sh finds it: find_spec("pip") would break setuptools, and torch.compile, in this process.
OURS, PLUGINS = "packtrain", "hydra_plugins"
PIP = sys.executable if Path(sys.executable).with_name("pip").exists() else "python3"
DEPENDENCIES = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
IMPORTS = """
import json, sys
from kernels import get_kernel
import packtrain
packtrain.load
theirs, ours = sys.modules["kernels"].__file__, sys.modules["packtrain"].__path__[0]
modules = [m.__file__ for name, m in sys.modules.items() if name.split(".")[0] == "packtrain"]
print(json.dumps([theirs, ours, modules]))
"""


def pip(python: Path | str, *arguments: Path | str) -> None:
    """Runs pip for the environment of `python`, without the network."""
    command = PIP, "-m", "pip", "--python", python, "--disable-pip-version-check", *arguments, "--no-deps"
    done = subprocess.run([*command, "--no-index"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def installed(wheel: Path, folder: Path) -> Path:
    """Makes an environment in `folder` and installs the wheel -> its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    (site_packages(folder) / "dependencies.pth").write_text("\n".join(DEPENDENCIES))
    pip(python, "install", wheel)
    return python


def site_packages(environment: Path) -> Path:
    (folder,) = environment.glob("lib/python*/site-packages")
    return folder


def run(python: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in `folder`, with nothing of this checkout on its path."""
    environment = {"PATH": "/usr/bin:/bin"}
    return subprocess.run([python, *arguments], cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy, since setuptools leaves folders beside what it builds."""
    checkout, made = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("wheel")
    for name in BUILT_FROM:
        if (ROOT / name).is_dir():
            copytree(ROOT / name, checkout / name, symlinks=True, ignore=LEFT_BEHIND)
        else:
            copy(ROOT / name, checkout)
    pip(sys.executable, "wheel", "--no-build-isolation", "--wheel-dir", made, checkout)
    (wheel,) = made.iterdir()
    return wheel


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environment")
    installed(wheel, folder)
    return folder


def test_it_holds_one_package_with_all_its_files(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    code = {path.relative_to(IMPORTABLE if IMPORTABLE in path.parents else ROOT) for path in sources()}
    configs = {path.relative_to(ROOT) for path in (ROOT / "conf").rglob("*.yaml")}
    pages = {
        path.relative_to(ROOT)
        for end in ("html", "css", "js")
        for path in (ROOT / "trainer").rglob(f"*.{end}")
    }
    assert len(pages) > 15
    expected = {
        str(path) if path.parts[0] in (OURS, PLUGINS) else f"{OURS}/{path}" for path in code | configs | pages
    }
    assert len(configs) > 30 and len(code) > 165
    assert names == expected | {f"{OURS}/py.typed", f"{OURS}/formulas.md"}


@pytest.mark.thorough
def test_it_is_imported_beside_hugging_face_kernels(environment: Path, tmp_path: Path) -> None:
    done = run(environment / "bin" / "python", tmp_path, "-c", IMPORTS)
    assert done.returncode == 0, done.stderr
    theirs, ours, modules = json.loads(done.stdout)
    assert any(Path(theirs).is_relative_to(folder) for folder in DEPENDENCIES)
    assert Path(ours) == site_packages(environment) / "packtrain"
    assert len(modules) > 10 and all(Path(file).is_relative_to(ours) for file in modules)


@pytest.mark.thorough
def test_it_trains(environment: Path, tmp_path: Path) -> None:
    tiny = "experiment=debug", "compute.device=cpu", "hydra.run.dir=out"
    done = run(environment / "bin" / "python", tmp_path, "-m", "packtrain", *tiny)
    assert done.returncode == 0, done.stderr
    assert result_in(tmp_path / "out")["outcomes"] == {"finished": 3}


@pytest.mark.thorough
def test_a_package_of_ours_named_kernels_would_be_seen(wheel: Path, tmp_path: Path) -> None:
    planted = Path(copy(wheel, tmp_path))
    with zipfile.ZipFile(planted, "a") as file:
        file.writestr("kernels/__init__.py", '"""Ours."""\n')
    python = installed(planted, tmp_path / "environment")
    done = run(python, tmp_path, "-c", IMPORTS)
    assert done.returncode == 1 and "cannot import name 'get_kernel'" in done.stderr
