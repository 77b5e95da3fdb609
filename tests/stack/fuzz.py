"""Send what nobody expects to the deployed API, and compare every answer with the OpenAPI document.

    python -m tests.stack.fuzz 120        about two minutes against a stack of its own: `make fuzz`

Schemathesis makes the requests from the document: of every kind that it allows, and just beside that.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
#: A route may tell of Jira's trouble, or of AWS's, by these; any other status of 5xx is a fault of ours.
CONFIGURATION = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 502, 503, 504]
"""
#: No fault, and no answer that the document does not describe.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


def fuzz(
    url: str, key: str, *, phases: str, options: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run schemathesis against a stack and return how it ended."""
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        "run",
        f"{url}/openapi.json",
        *("--header", f"Authorization: Bearer {key}"),
        *("--checks", ",".join(CHECKS)),
        *("--phases", phases),
        *("--workers", "2"),
        *("--request-timeout", "40"),
        *("--warnings", "off"),
        "--continue-on-failure",
        "--no-color",
        *options,
    ]
    with tempfile.TemporaryDirectory() as folder:  # it leaves a database of examples behind
        (Path(folder) / "schemathesis.toml").write_text(CONFIGURATION)
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def main(seconds: str = "120") -> int:
    """Fuzz a stack of one's own for some time, and print what came of it."""
    from tests.support.deployed import KEYS, running

    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as stack:
        options = ("--max-time", seconds)
        finished = fuzz(stack.url, KEYS["*"], phases="coverage,fuzzing,stateful", options=options)
    sys.stdout.write(finished.stdout + finished.stderr)
    return finished.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
