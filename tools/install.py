"""Install what checks and tests need, with uv: a tenth of pip's work.

    python tools/install.py requirements/dev.txt

uv is one of the locked requirements; pip installs it first, with its hashes. It does not read pip's
configuration (mirrors, certificates), so it is told. Where that has a setting without a counterpart, or uv
fails, pip installs all.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PIP = (sys.executable, "-m", "pip")
INSTALL = (*PIP, "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--requirement")
#: uv's names of pip's settings, and what stands between several values.
SETTINGS = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "proxy": ("ALL_PROXY", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
}
#: Settings that change nothing where each file is named by its hash.
WITHOUT_EFFECT = {
    "break-system-packages",
    "cache-dir",
    "constraint",
    "disable-pip-version-check",
    "no-cache-dir",
    "no-compile",
    "no-input",
    "no-warn-script-location",
    "prefer-binary",
    "progress-bar",
    "quiet",
    "require-virtualenv",
    "retries",
    "root-user-action",
}


def uv_environment(configuration: str) -> dict[str, str] | None:
    """Translate what ``pip config list`` prints into uv's variables; None if uv cannot follow it."""
    found: dict[str, tuple[int, str]] = {}
    for line in configuration.splitlines():
        key, _, text = line.partition("=")
        section, _, name = key.rpartition(".")
        rank = {"global": 1, "install": 2, ":env:": 3}.get(section, 0)
        if not rank or name in WITHOUT_EFFECT:
            continue
        if name not in SETTINGS:
            return None
        variable, separator = SETTINGS[name]
        value = separator.join(str(ast.literal_eval(text)).split())
        found[variable] = max(found.get(variable, (0, "")), (rank, value))
    return {variable: value for variable, (_, value) in found.items()}


def _install_with_uv(requirements: Path) -> bool:
    listed = subprocess.run([*PIP, "config", "list"], capture_output=True, text=True, check=False)
    settings = uv_environment(listed.stdout)
    own = re.search(r"^uv==(?:.*\\\n)*.*\n", requirements.read_text(), re.MULTILINE)
    if listed.returncode or settings is None or own is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        alone = Path(folder) / "uv.txt"
        alone.write_text(own.group())
        if subprocess.run([*INSTALL, str(alone)], check=False).returncode:
            return False
    command = [
        str(Path(sys.executable).parent / "uv"),
        "pip",
        "install",
        "--quiet",
        "--python",
        sys.executable,
    ]
    # All indexes are searched, as pip does: the hashes tell which file is meant.
    command += [
        "--index-strategy",
        "unsafe-best-match",
        "--require-hashes",
        "--requirement",
        str(requirements),
    ]
    return not subprocess.run(command, env=settings | os.environ, capture_output=True, check=False).returncode


def main() -> None:
    requirements = Path(sys.argv[1])
    if not _install_with_uv(requirements):
        sys.exit(subprocess.run([*INSTALL, str(requirements)], check=False).returncode)


if __name__ == "__main__":
    main()
