"""Build the Lambda layers of template.yaml into .build/layers/<name>/python.

    python tools/build_layers.py            for the interpreter that runs this (the local stack)
    python tools/build_layers.py --lambda   for Lambda: Python 3.13 on arm64

A layer carries compiled code, so nothing compiles at a cold start. Python does not check the compiled files
against their sources; the time stamps of a zip do not matter. Compiling needs an interpreter of the target's
version: run by another Python, `--lambda` leaves the sources uncompiled.
"""

from __future__ import annotations

import argparse
import compileall
import fcntl
import gzip
import hashlib
import json
import py_compile
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "layers"
BUILD = ROOT / ".build" / "layers"

# The runtime brings these; a second copy would cost 20 MB and a slower start.
BROUGHT_BY_RUNTIME = ("boto3", "botocore", "s3transfer")
CACHES = ("__pycache__", ".mypy_cache", ".ruff_cache")
WITH_AWS_DATA = "dependencies"
AWS_SERVICES = ("dynamodb", "kms", "lambda", "secretsmanager", "sqs")
NEVER_IMPORTED = ("tests", "test", "__pycache__")
#: Parts of packages that no function uses. A function that uses one fails in the tests of built layers.
UNUSED = (
    "aws_lambda_powertools/event_handler",
    "aws_lambda_powertools/utilities/feature_flags",
    "aws_lambda_powertools/utilities/idempotency",
    "aws_lambda_powertools/utilities/kafka",
    "aws_lambda_powertools/utilities/parser",
    "pydantic/v1",
)


class LayerBuildError(Exception):
    """A layer could not be built."""


@dataclass(frozen=True)
class Target:
    """What a layer is built for."""

    python: str
    platform: str | None = None

    @property
    def folder(self) -> str:
        return f"{self.python}-{self.platform or 'local'}"

    @property
    def is_running_version(self) -> bool:
        return self.python == running_version()

    def pip_options(self) -> list[str]:
        """Options that make pip choose wheels of the target instead of the running interpreter's."""
        if self.platform is None:
            return []
        return ["--platform", self.platform, "--python-version", self.python, "--only-binary=:all:"]


def running_version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def running_interpreter() -> Target:
    return Target(running_version())


LAMBDA = Target("3.13", "manylinux2014_aarch64")


def build_layers(target: Target) -> dict[str, Path]:
    """Build every layer whose inputs have changed.

    Returns
    -------
    dict
        The folder that becomes each layer's zip, by the layer's name.
    """
    folders = {}
    with builders_lock():
        for source in sorted(path for path in SOURCES.iterdir() if path.is_dir()):
            folders[source.name] = _build(source, target)
    return folders


@contextmanager
def builders_lock(operation: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Wait until nobody else builds. Two stacks may start at once; the second one finds the layers built."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, operation)
        yield


def _build(source: Path, target: Target) -> Path:
    folder = BUILD / target.folder / source.name
    stamp = folder.with_suffix(".stamp")
    inputs = _inputs_digest(source, target)
    if folder.is_dir() and stamp.exists() and stamp.read_text() == inputs:
        return folder
    stamp.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    python = folder / "python"
    python.mkdir(parents=True)
    _fill(source, python, target)
    _thin_out(python)
    if source.name == WITH_AWS_DATA:
        write_aws_data(folder / "aws-data")
    if target.is_running_version:
        _compile(python, "/opt/python")
    stamp.write_text(inputs)
    return folder


def _inputs_digest(source: Path, target: Target) -> str:
    digest = hashlib.sha256(f"{target} {sys.version} {botocore.__version__}".encode())
    for path in [Path(__file__), *_source_files(source)]:
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _source_files(source: Path) -> list[Path]:
    return sorted(path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def _fill(source: Path, python: Path, target: Target) -> None:
    for package in (path for path in source.iterdir() if path.is_dir() and path.name != "__pycache__"):
        shutil.copytree(package, python / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    requirements = source / "requirements.txt"
    if (source / "build.py").exists():
        _run([sys.executable, str(source / "build.py"), str(python)], "build", source)
    elif requirements.exists():
        _install(requirements, python, target)


def _install(requirements: Path, python: Path, target: Target) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-compile",
        "--require-hashes",
    ]
    command += ["--target", str(python), "--requirement", str(requirements)]
    _run([*command, *target.pip_options()], "install", requirements)


def _run(command: Sequence[str], verb: str, what: Path) -> None:
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise LayerBuildError(f"Could not {verb} {what.relative_to(ROOT)}:\n{finished.stderr.strip()}")


def _thin_out(python: Path) -> None:
    """Drop what no function imports.

    Metadata (dist-info) stays, except the list of files: pydantic and Powertools read versions.
    """
    shutil.rmtree(python / "bin", ignore_errors=True)
    for name in BROUGHT_BY_RUNTIME:
        for path in python.glob(f"{name}*"):
            shutil.rmtree(path, ignore_errors=True)
    for name in UNUSED:
        shutil.rmtree(python / name, ignore_errors=True)
    for path in sorted(python.rglob("*"), reverse=True):
        if path.is_dir() and path.name in NEVER_IMPORTED:
            shutil.rmtree(path)
        elif path.name == "RECORD" or path.suffix == ".pyi":
            path.unlink()


def write_aws_data(folder: Path) -> None:
    """Write botocore's descriptions of the services that the product uses, without their documentation.

    botocore finds them by AWS_DATA_PATH, before its own. Most of making a client is reading those:
    their documentation, and the endpoints of 400 services.
    """
    data = Path(botocore.__file__).parent / "data"
    for service in AWS_SERVICES:
        newest = max(path for path in (data / service).iterdir() if path.is_dir())
        for name in ("service-2", "endpoint-rule-set-1"):
            described = _without_documentation(_read_data(newest, name))
            _write_data(folder / service / newest.name / f"{name}.json", described)
    endpoints = _read_data(data, "endpoints")
    for partition in endpoints["partitions"]:
        services = partition["services"]
        partition["services"] = {name: services[name] for name in AWS_SERVICES if name in services}
    _write_data(folder / "endpoints.json", endpoints)


def _read_data(folder: Path, name: str) -> Any:
    plain = folder / f"{name}.json"
    return json.loads(
        plain.read_bytes()
        if plain.exists()
        else gzip.decompress(plain.with_name(f"{name}.json.gz").read_bytes())
    )


def _write_data(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, separators=(",", ":")))


def _without_documentation(described: Any) -> Any:
    if isinstance(described, list):
        return [_without_documentation(entry) for entry in described]
    if not isinstance(described, dict):
        return described
    return {
        name: _without_documentation(value)
        for name, value in described.items()
        if not (name == "documentation" and isinstance(value, str))
    }


def build_function(source: Path, folder: Path, target: Target) -> Path:
    """Copy a function's code to a folder that does not exist yet, compiled like a layer."""
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns(*CACHES))
    if target.is_running_version:
        _compile(folder, "/var/task")
    return folder


def _compile(folder: Path, place: str) -> None:
    # Tracebacks show the paths in the function, not those of this machine.
    compileall.compile_dir(
        folder,
        quiet=1,
        stripdir=str(folder),
        prependdir=place,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        workers=1,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the Lambda layers.")
    parser.add_argument("--lambda", dest="for_lambda", action="store_true", help="for Python 3.13 on arm64")
    target = LAMBDA if parser.parse_args().for_lambda else running_interpreter()
    for folder in build_layers(target).values():
        print(folder.relative_to(ROOT))


if __name__ == "__main__":
    main()
