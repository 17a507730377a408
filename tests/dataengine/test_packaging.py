"""The package as others get it: built without a warning, installed, started beside anybody's."""

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from email.parser import Parser
from pathlib import Path

import pytest

import dataengine
from tests.conftest import CHECKOUT

OURS = {"dataengine", "pipelines", "sinet", "db"}
PAGE = (CHECKOUT / "docs/packaging.md").read_text(encoding="utf-8")
LARGEST_MB = 10


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the sdist, and of the wheel that is built from it."""
    out = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(CHECKOUT)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "warn" not in (done.stdout + done.stderr).lower()
    return out


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As an installer lays it out."""
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def start(folder: Path, *arguments: str, first: Path | None = None) -> tuple[int, str, str]:
    """The program of a folder, with another before it on the path."""
    done = subprocess.run(
        [sys.executable, "-c", "import dataengine; dataengine.main()", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, filter(None, (first, folder))))},
        capture_output=True,
        text=True,
        cwd=folder.parent,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_wheel_has_four_packages_and_what_they_need(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (info,) = {name.partition("/")[0] for name in names if ".dist-info/" in name}
        metadata = Parser().parsestr(archive.read(f"{info}/METADATA").decode())
        entries = archive.read(f"{info}/entry_points.txt").decode()
    assert {name.partition("/")[0] for name in names} == OURS | {info}
    assert "dataengine = dataengine:main" in entries
    assert metadata["License-Expression"] == "MIT AND LicenseRef-Weights-For-Research-Only"
    for needed in (
        "sinet/weights/LICENSE-WEIGHTS.txt", "sinet/weights/sinet.safetensors",
        "pipelines/__init__.pyi", "pipelines/pages/assets/page.css",
        "pipelines/pages/faces/ATTRIBUTION.md", "pipelines/pages/faces/face-01.jpg",
        "db/migrations/env.py", f"{info}/licenses/LICENSE",
    ):  # fmt: skip
        assert needed in names, needed
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]
    assert wheel.stat().st_size < LARGEST_MB * 1e6
    for name in (*OURS, *metadata.get_all("Provides-Extra", ())):
        assert f"`{name}`" in PAGE


def test_the_sdist_has_the_tests(built: Path) -> None:
    (found,) = built.glob("*.tar.gz")
    with tarfile.open(found) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"tests/conftest.py", "docs/packaging.md", "README.md", "LICENSE"} <= names


def test_the_wheel_starts(unpacked: Path) -> None:
    code, out, err = start(unpacked, "--help")
    assert (code, err) == (0, "")
    assert "publish" in out


@pytest.mark.parametrize("name", ["db/__init__.py", "db.py", "pipelines/__init__.py"])
def test_somebody_elses_packages_come_first(name: str, unpacked: Path, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("")
    assert_explained(*start(unpacked, "--help", first=tmp_path), tmp_path / name)


@pytest.mark.parametrize("package", dataengine.GENERIC)
@pytest.mark.parametrize("change", [lambda file: file.write_text("x = 1\n"), Path.unlink])
def test_somebody_elses_packages_were_installed_over_ours(
    package: str, change: Callable[[Path], object], unpacked: Path
) -> None:
    file = unpacked / package / "__init__.py"
    ours = file.read_text()
    change(file)
    try:
        code, out, err = start(unpacked, "--help")
    finally:
        file.write_text(ours)
    assert code == 1
    assert out == ""
    assert err.startswith("error: ")
    assert f"is another program's {package!r}" in err


def assert_explained(code: int, out: str, err: str, where: Path) -> None:
    assert code == 1
    assert out == ""
    assert err.startswith(f"error: {where}: is another program's ")
    assert "`uv tool install portrait-dataengine` or `pipx install" in err
    assert err.count("\n") == 1


INSTALLERS = {
    "uv": ["uv", "tool", "install", "--quiet"],
    "pipx": ["uvx", "--quiet", "pipx", "install", "--quiet", "--backend", "uv"],
}


@pytest.mark.campaign
@pytest.mark.parametrize("installer", INSTALLERS)
def test_installed_for_itself_the_demo_needs_no_internet(
    installer: str, wheel: Path, tmp_path: Path
) -> None:
    """Ten gigabytes are installed, linked from uv's cache where they are in it."""
    places = {
        "UV_TOOL_DIR": tmp_path / "tools", "UV_TOOL_BIN_DIR": tmp_path / "bin",
        "PIPX_HOME": tmp_path / "pipx", "PIPX_BIN_DIR": tmp_path / "bin",
    }  # fmt: skip
    settings = {name: str(path) for name, path in places.items()}
    newest = re.search(r'^exclude-newer = "(.*)"', (CHECKOUT / "pyproject.toml").read_text(), re.M)
    assert newest is not None
    environment = {**os.environ, **settings, "UV_EXCLUDE_NEWER": newest[1]}
    subprocess.run([*INSTALLERS[installer], str(wheel)], env=environment, check=True)
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    done = subprocess.run(
        [tmp_path / "bin/dataengine", "demo", "try"],
        env={**os.environ, **nowhere},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "14 portraits with their masks:  try/pictures" in done.stdout
    assert len(list((tmp_path / "try/pictures").iterdir())) == 14
    assert (tmp_path / "try/report.html").stat().st_size > 100_000
    assert (tmp_path / "try/prediction.jpg").is_file()


@pytest.mark.campaign
def test_the_lists_of_what_is_installed(tmp_path: Path) -> None:
    """The commands of docs/packaging.md, on the environment of the tests."""
    lines = re.findall(r"^uvx .*$", PAGE, flags=re.MULTILINE)
    assert len(lines) == 2
    for line in lines:
        typed = line.replace('"$PYTHON"', sys.executable)
        subprocess.run(["bash", "-c", typed], cwd=tmp_path, check=True, capture_output=True)
    assert '"bomFormat": "CycloneDX"' in (tmp_path / "sbom.json").read_text()
    assert "sqlalchemy" in (tmp_path / "licences.csv").read_text().lower()
