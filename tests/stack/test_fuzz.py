"""The deployed API under requests that nobody has thought of: no fault, nothing that is not documented."""

from __future__ import annotations

import pytest

from tests.stack.fuzz import fuzz
from tests.support.deployed import KEYS, Stack


@pytest.mark.long
def test_every_answer_is_documented_and_none_is_a_fault(own_stack: Stack) -> None:
    finished = fuzz(own_stack.url, KEYS["*"], phases="coverage", options=("--seed", "1"))
    assert finished.returncode == 0, finished.stdout[-8000:] + finished.stderr
    assert "Tested: " in finished.stdout, "nothing was tested"


def test_a_line_break_in_a_path_comes_through(stack: Stack) -> None:
    answer = stack.request("GET", "/api/jobs/%1E%0A")
    assert (answer.status_code, answer.json()["statusCode"]) == (404, 404)
