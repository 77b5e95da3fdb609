"""What workers of the emulator unpack."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from local import packages
from local.bounds import SharedZip
from tools import build_layers


@pytest.fixture(autouse=True)
def _temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def zipped(folder: Path, text: str) -> Path:
    folder.mkdir()
    with zipfile.ZipFile(folder / "layer.zip", "w") as archive:
        archive.writestr("python/package/module.py", text)
    return folder / "layer.zip"


def unpack(zip_file: Path) -> Path:
    """Unpack as the emulator's workers do."""
    target = zip_file.parent / "layer"
    target.mkdir()
    with SharedZip(zip_file) as archive:
        assert archive.namelist() in (["python/package/module.py"], [])
        archive.extractall(target)
    return target / "python" / "package" / "module.py"


def test_equal_content_takes_its_room_once(tmp_path: Path) -> None:
    zips = [zipped(tmp_path / str(number), "same") for number in range(8)]
    with ThreadPoolExecutor(8) as workers:
        modules = list(workers.map(unpack, zips))
    assert {module.read_text() for module in modules} == {"same"}
    assert len({module.stat().st_ino for module in modules}) == 1
    assert not any(path.exists() for path in zips)


def test_other_content_is_other_content(tmp_path: Path) -> None:
    texts = ("one", "two")
    assert [unpack(zipped(tmp_path / text, text)).read_text() for text in texts] == ["one", "two"]


def test_folder_of_an_ended_worker_takes_nothing_from_others(tmp_path: Path) -> None:
    first, second = (unpack(zipped(tmp_path / name, "same")) for name in ("1", "2"))
    shutil.rmtree(first.parents[3])
    assert second.read_text() == "same"


def built(builds: Path, zip_file: Path) -> Path:
    """Build a layer of which a zip has been made, and return its module."""
    module = builds / "3.13-local" / "named" / "python" / "package" / "module.py"
    module.parent.mkdir(parents=True)
    module.write_text("as built")
    (module.parents[3] / "named.stamp").write_text("stamp")
    digest = sha256(zip_file.read_bytes()).hexdigest()
    (module.parents[3] / f"named-stamp-{digest}.zip").touch()
    return module


def test_built_layer_is_linked_and_its_successor_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (packages, build_layers):
        monkeypatch.setattr(module, "BUILD", tmp_path / "builds")
    zip_file = zipped(tmp_path / "1", "zipped")
    source = built(tmp_path / "builds", zip_file)
    linked = unpack(zip_file)
    assert linked.stat().st_ino == source.stat().st_ino
    shutil.rmtree(tmp_path / "builds")
    assert linked.read_text() == "as built"


@pytest.mark.parametrize("obstacle", ["built anew", "being built"])
def test_layer_that_has_changed_or_may_change_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, obstacle: str
) -> None:
    for module in (packages, build_layers):
        monkeypatch.setattr(module, "BUILD", tmp_path / "builds")
    zip_file = zipped(tmp_path / "1", "zipped")
    source = built(tmp_path / "builds", zip_file)
    if obstacle == "built anew":
        (source.parents[3] / "named.stamp").write_text("other")
    with (tmp_path / "builds" / "lock").open("w") as lock:
        if obstacle == "being built":
            fcntl.flock(lock, fcntl.LOCK_EX)
        assert unpack(zip_file).read_text() == "zipped"
