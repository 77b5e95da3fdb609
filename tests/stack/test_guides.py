"""Each guide of docs/guides, run as it is written: its commands in one shell, its Python in an environment of its own.

Indented lines are not run: they need Docker, or go on in another shell. `sam` and `make package` have stand-ins.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.aws import Aws
from local.sam_local import Tunnel, write_sam_local
from tests.support.consent_flow import Atlassian, Browser, Walk, over_http
from tests.support.deployed import ROOT, Stack
from tests.support.empty_account import empty_account
from tests.support.sam import account_environment
from tools.build_layers import running_interpreter

FOLDER = ROOT / "docs" / "guides"
#: These have stages of their own, below.
DEPLOY, SAM_LOCAL = FOLDER / "deploy.md", FOLDER / "sam-local.md"
GUIDES = sorted({*FOLDER.glob("*.md")} - {DEPLOY, SAM_LOCAL})
SECONDS = 600
BLOCK = re.compile(r"^```(bash|python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
pytestmark = pytest.mark.long


class Shell:
    """A shell that goes on from block to block."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            ["bash", "--norc", "-eo", "pipefail"],
            cwd=directory,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, commands: str) -> str:
        """Run commands; return what they print. A command that fails ends the shell."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{commands}\nprintf '\\n--- done ---\\n'\n")
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


@contextmanager
def shell(directory: Path, environment: Mapping[str, str]) -> Iterator[Shell]:
    made = Shell(directory, environment)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def stack_without_integration(stack: Stack) -> Iterator[Stack]:
    """There is one integration at most, and other tests make their own."""
    yield stack
    stack.request("DELETE", "/api/integrations/ticketing")


@pytest.mark.skipif(shutil.which("curl") is None, reason="the guides are written for curl")
@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_a_guide_works_as_written(
    guide: Path, stack_without_integration: Stack, tmp_path: Path, installed: Path
) -> None:
    stack = stack_without_integration
    text = guide.read_text().replace("http://127.0.0.1:8000", stack.url)
    text = text.replace("http://127.0.0.1:8001", stack.atlassian_url)
    printed = ""
    with shell(tmp_path, os.environ | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}) as commands:
        for kind, content in _blocks(text):
            if kind == "text":
                _compare(content, printed)
            else:
                printed = commands.run(content) if kind == "bash" else _python(content, installed)
                _follow_link(printed, stack)


#: The emulator's addresses instead of those of AWS; no waiting, and nothing to package.
IN_THE_EMULATED_ACCOUNT = r"""
curl() {
  local word words=()
  for word; do
    words+=("$(sed -E "s|https://(\w+)\.execute-api\.[^/]+/live|$AWS_ENDPOINT_URL/_aws/execute-api/\1/live|" <<<"$word")")
  done
  command curl --fail-with-body "${words[@]}"
}
sleep() { :; }
make() { :; }
"""


def test_the_guide_to_deploy_works_as_written(tmp_path: Path) -> None:
    """Without what Atlassian shows: its app's credentials. Roles have conditions that the emulator does not know."""
    (tmp_path / "app.json").write_text('{"client_id": "id", "client_secret": "secret"}')
    for file in ("samconfig.toml", "account.yaml"):
        shutil.copy(ROOT / file, tmp_path)
    text = DEPLOY.read_text().replace(".build/packager/bin/python", sys.executable)
    data = tmp_path / "account"
    data.mkdir()
    with (
        empty_account(data, enforce_roles=False) as url,
        shell(tmp_path, account_environment(tmp_path, url)) as commands,
    ):
        commands.run(IN_THE_EMULATED_ACCOUNT)
        _run(commands, text)
        parameters = commands.run(
            "aws cloudformation describe-stacks --stack-name jobticket-dev --query Stacks[].Parameters"
        )
        assert "execute-api" in parameters, "PublicUrl"


@pytest.mark.skipif(sys.platform != "linux", reason="the runtime interface emulator is Linux's")
def test_the_guide_to_sam_local_works_as_written(stack: Stack, tmp_path: Path) -> None:
    """With the files that `make sam-local` writes, for the interpreter that runs this."""
    endpoint_url = stack.description()["aws_endpoint_url"]
    written = tmp_path / ".build" / "sam-local"
    write_sam_local(written, Aws(endpoint_url), Tunnel(1, "secret", ()), "x86_64", running_interpreter())
    shutil.copy(ROOT / "samconfig.toml", tmp_path)
    (tmp_path / "events").symlink_to(ROOT / "events")
    with shell(tmp_path, account_environment(tmp_path, endpoint_url)) as commands:
        _run(commands, SAM_LOCAL.read_text())


def _blocks(text: str) -> list[tuple[str, str]]:
    blocks = BLOCK.findall(text)
    assert blocks, "a guide without commands"
    return blocks


def _run(commands: Shell, text: str) -> None:
    printed = ""
    for kind, content in _blocks(text):
        if kind == "bash":
            printed = commands.run(content)
        else:
            _compare(content, printed)


def _compare(expected: str, printed: str) -> None:
    missing = [line for line in expected.splitlines() if line not in printed]
    assert not missing, f"{printed}\nlacks {missing}"


def _follow_link(printed: str, stack: Stack) -> None:
    """Do what a person does in a browser with a link to Atlassian's consent page."""
    if link := re.search(r"http\S*/authorize\?\S*", printed):
        walk = Walk(Browser(over_http(stack)), Atlassian(stack.atlassian_url))
        assert walk.come_back(walk.consent(link[0])).status == 302
        assert walk.create().status == 200


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that was empty, with the client's wheel and what it needs."""
    folder = tmp_path_factory.mktemp("client")
    pip = ("-m", "pip", "--quiet", "--disable-pip-version-check")
    build = (*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder)
    subprocess.run([sys.executable, *build, ROOT / "clients" / "python"], check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "empty"], check=True)
    python = folder / "empty" / "bin" / "python"
    into = (*pip, "--python", str(python), "install")
    subprocess.run([sys.executable, *into, *folder.glob("*.whl")], check=True)
    return python


def _python(program: str, python: Path) -> str:
    environment = os.environ | {"NO_PROXY": "127.0.0.1"}
    done = subprocess.run(
        [python, "-c", program], env=environment, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
