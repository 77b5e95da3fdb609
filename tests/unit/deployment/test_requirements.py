"""Installed packages are locked to versions and files, the same everywhere."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from tools import build_layers
from tools.build_layers import LayerBuildError, running_interpreter
from tools.lock import LOCKS, ROOT, SERVED, WANTED

Pins = dict[str, tuple[str, frozenset[str]]]


def name_of(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def pins(locked: Path) -> Pins:
    """Return version and hashes of every package; the file may hold nothing else."""
    found = {}
    lines = [line for line in locked.read_text().splitlines() if line and not line.startswith("#")]
    for requirement in "\n".join(lines).replace("\\\n", " ").splitlines():
        head, *hashes = re.split(r"\s+--hash=sha256:", requirement.strip())
        pinned = re.fullmatch(r"[\w.-]+(\[[\w,]+\])?==([\w.]+)( ; [^-]+)?", head.strip())
        assert pinned, requirement
        assert hashes, requirement
        assert all(re.fullmatch("[0-9a-f]{64}", each) for each in hashes), requirement
        found[name_of(head)] = (pinned[2], frozenset(hashes))
    return found


@pytest.mark.parametrize("wanted", LOCKS)
def test_what_is_wanted_is_locked(wanted: str) -> None:
    lines = [line.strip() for line in (WANTED / wanted).read_text().splitlines()]
    names = {name_of(line) for line in lines if line and not line.startswith(("#", "-r "))}
    included = [LOCKS[line.removeprefix("-r ")] for line in lines if line.startswith("-r ")]
    locked = pins(LOCKS[wanted])
    assert names <= locked.keys()
    for other in included:
        assert pins(other).items() <= locked.items()


def test_every_lock_has_the_same_files() -> None:
    everything = pins(LOCKS["dev.in"])
    for wanted, locked in LOCKS.items():
        if wanted == SERVED:
            continue
        assert pins(locked).items() <= everything.items()


def test_there_is_no_other_file_of_requirements() -> None:
    files = [*WANTED.glob("*"), *ROOT.glob("layers/*/requirements*"), *ROOT.glob("functions/*/requirements*")]
    assert set(files) == {*LOCKS.values(), *(WANTED / wanted for wanted in LOCKS)}


def test_every_installation_asks_for_hashes() -> None:
    files = [ROOT / "Makefile", *(ROOT / "tools").glob("*.sh"), *(ROOT / ".ci").glob("*")]
    lines = [line for path in files for line in path.read_text().splitlines()]
    installing = [line for line in lines if re.search(r"\bpip3? (install|download|wheel)\b", line)]
    assert installing
    # What is built from sources here, without anything else, has no hash.
    bare = [line for line in installing if "--require-hashes" not in line]
    assert [
        line
        for line in bare
        if not {"--no-deps", "--no-build-isolation", "clients/python"} <= {*line.split()}
    ] == []


class TestLayers:
    """A layer contains only locked files."""

    @pytest.fixture
    def wheel(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The only package that is available without a network."""
        wheel = tmp_path / "wheels" / "thing-1.0-py3-none-any.whl"
        wheel.parent.mkdir()
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("thing.py", "")
            archive.writestr(
                "thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n"
            )
            archive.writestr(
                "thing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            archive.writestr("thing-1.0.dist-info/RECORD", "")
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
        monkeypatch.setattr(build_layers, "ROOT", tmp_path)
        return wheel

    def install(self, folder: Path, requirement: str) -> Path:
        requirements = folder / "requirements.txt"
        requirements.write_text(requirement)
        build_layers._install(requirements, folder / "python", running_interpreter())
        return folder / "python"

    def test_known_file(self, wheel: Path, tmp_path: Path) -> None:
        known = sha256(wheel.read_bytes()).hexdigest()
        assert (self.install(tmp_path, f"thing==1.0 --hash=sha256:{known}") / "thing.py").exists()

    @pytest.mark.parametrize(
        "requirement", ["thing==1.0", "thing", f"thing==1.0 --hash=sha256:{'0' * 64}"], ids=["1", "2", "3"]
    )
    @pytest.mark.usefixtures("wheel")
    def test_other_files(self, tmp_path: Path, requirement: str) -> None:
        with pytest.raises(LayerBuildError, match="hash"):
            self.install(tmp_path, requirement)


def test_locked_packages_are_what_runs_here() -> None:
    """Otherwise the tests would test other versions."""
    told = subprocess.run(
        [sys.executable, "-m", "pip", "freeze", "--quiet"], capture_output=True, text=True, check=True
    )
    installed = {name_of(line): line.partition("==")[2] for line in told.stdout.splitlines() if "==" in line}
    locked = {name: version for name, (version, _) in pins(LOCKS["dev.in"]).items()}
    assert {
        name: version for name, version in installed.items() if locked.get(name, version) != version
    } == {}
