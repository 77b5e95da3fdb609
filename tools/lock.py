"""Write the locked requirements: every package at one version, with the hashes of all files of its release.

    make lock                                      after a change of a requirements/*.in
    make lock UPGRADE=--upgrade                    everything to its newest version
    make lock UPGRADE="--upgrade-package requests" one package

The `.in` files name the packages. pip installs the locked files with `--require-hashes`, and refuses a file
that differs from the tested one. One lock serves Python 3.11 to 3.13 on every platform.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WANTED = ROOT / "requirements"
OLDEST_PYTHON = "3.11"
#: The packages, and the lock of each file. The first gives the others their versions.
LOCKS = {
    "dev.in": WANTED / "dev.txt",
    "local.in": WANTED / "local.txt",
    "package.in": WANTED / "package.txt",
    "dependencies.in": ROOT / "layers" / "dependencies" / "requirements.txt",
    "encryption.in": ROOT / "layers" / "encryption" / "requirements.txt",
    "pages.in": ROOT / "layers" / "pages" / "requirements.txt",
}
#: Packages of which only files are served: they are not installed, and need none of their dependencies.
SERVED = "pages.in"
HEADER = "# Locked by `make lock` from requirements/{}. Change that instead.\n"


def lock(options: Sequence[str] = ()) -> None:
    """Write every locked file; versions stay unless the options ask for newer ones."""
    everything, *parts = LOCKS
    _compile(everything, [*options])
    _compile(SERVED, ["--no-deps", *options])
    for wanted in parts:
        if wanted == SERVED:
            continue
        shutil.copy(LOCKS[everything], LOCKS[wanted])  # uv keeps the versions in it
        _compile(wanted, ["--constraint", str(LOCKS[everything])])


def _compile(wanted: str, options: Sequence[str]) -> None:
    locked = LOCKS[wanted]
    command = [str(Path(sys.executable).with_name("uv")), "pip", "compile", "--quiet", "--universal"]
    command += ["--python-version", OLDEST_PYTHON, "--generate-hashes", "--no-header", "--no-annotate"]
    command += ["--no-emit-index-url", "--no-emit-find-links", *options]
    command += [str(WANTED / wanted), "--output-file", str(locked)]
    subprocess.run(command, check=True, env=os.environ | {"UV_NO_CONFIG": "1"})
    locked.write_text(HEADER.format(wanted) + locked.read_text())


if __name__ == "__main__":
    lock(sys.argv[1:])
