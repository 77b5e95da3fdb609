"""Each guide of docs/guides, run as it is written: its commands in one shell, its Python in one program."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.consent_flow import Atlassian, Browser, Walk, over_http
from tests.support.deployed import ROOT, Stack

GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
SECONDS = 180
BLOCK = re.compile(r"^```(bash|python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Shell:
    """A shell that goes on from block to block."""

    def __init__(self, directory: Path) -> None:
        self._process = subprocess.Popen(
            ["bash", "--norc", "-eo", "pipefail"],
            cwd=directory,
            env=os.environ | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, commands: str) -> str:
        """Run commands; return what they print. A command that fails ends the shell."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{commands}\necho '--- done ---'\n")
        self._process.stdin.flush()
        printed = ""
        for line in self._process.stdout:
            if line == "--- done ---\n":
                return printed
            printed += line
        raise AssertionError(f"these commands failed:\n{commands}\n{printed}")

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path)
    yield made
    made.close()


@pytest.fixture
def stack_without_integration(stack: Stack) -> Iterator[Stack]:
    """There is one integration at most, and other tests make their own."""
    yield stack
    stack.request("DELETE", "/api/integrations/ticketing")


@pytest.mark.skipif(shutil.which("curl") is None, reason="the guides are written for curl")
@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_a_guide_works_as_written(
    guide: Path, stack_without_integration: Stack, shell: Shell, wheel: Path
) -> None:
    stack = stack_without_integration
    text = guide.read_text().replace("http://127.0.0.1:8000", stack.url)
    text = text.replace("http://127.0.0.1:8001", stack.atlassian_url)
    blocks = BLOCK.findall(text)
    printed = ""
    for kind, content in blocks:
        if kind == "bash":
            printed = shell.run(content)
            _follow_link(printed, stack)
        elif kind == "python":
            printed = _python(content, wheel)
        else:
            missing = [line for line in content.splitlines() if line not in printed]
            assert not missing, f"{printed}\nlacks {missing}"
    assert blocks, "a guide without commands"


def _follow_link(printed: str, stack: Stack) -> None:
    """Do what a person does in a browser with a link to Atlassian's consent page."""
    if link := re.search(r"http\S*/authorize\?\S*", printed):
        walk = Walk(Browser(over_http(stack)), Atlassian(stack.atlassian_url))
        assert walk.come_back(walk.consent(link[0])).status == 302
        assert walk.create().status == 200


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client as it is installed."""
    folder = tmp_path_factory.mktemp("client")
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps")
    subprocess.run(
        [*pip, "--no-build-isolation", "--wheel-dir", folder, ROOT / "clients" / "python"], check=True
    )
    (built,) = folder.glob("*.whl")
    return built


def _python(program: str, wheel: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(wheel), "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
