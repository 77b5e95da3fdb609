"""The operator's tool for keys, and what the functions make of its ring."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from jobticket.errors import UnauthenticatedError
from jobticket.secret_store import fetch_secret
from jobticket.web.authentication import KeyRing
from tests.unit.conftest import client
from tools.key_ring import SCOPES, KeyRingError, main


def ring(secret: str = "key-ring") -> KeyRing:
    return KeyRing(lambda: fetch_secret(client("secretsmanager"), secret), lambda: 0.0, local=False)


def test_the_first_key_of_a_stack_needs_no_preparation(aws: None, capsys: pytest.CaptureFixture[str]) -> None:
    """CloudFormation makes the secret without a value."""
    client("secretsmanager").create_secret(Name="new-ring")
    main(["--secret", "new-ring", "list"])
    assert capsys.readouterr().out == ""
    with pytest.raises(UnauthenticatedError):
        ring("new-ring").authenticate("Bearer anything")
    main(["--secret", "new-ring", "add", "tablets", "--scopes", "jobs"])
    key = capsys.readouterr().out.strip()
    assert ring("new-ring").authenticate(f"Bearer {key}").name == "tablets"


def test_a_secret_that_is_not_there_is_not_an_empty_ring(aws: None) -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        main(["--secret", "mistyped", "add", "tablets", "--scopes", "jobs"])


def test_a_key_that_was_added_is_known_and_one_that_was_removed_is_not(
    aws: None, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--secret", "key-ring", "add", "tablets", "--scopes", "jobs,jira"])
    key = capsys.readouterr().out.strip()
    caller = ring().authenticate(f"Bearer {key}")
    assert (caller.name, set(caller.scopes)) == ("tablets", {"jobs", "jira"})
    assert key not in client("secretsmanager").get_secret_value(SecretId="key-ring")["SecretString"]
    main(["--secret", "key-ring", "remove", "tablets"])
    with pytest.raises(Exception, match="Invalid secret key"):
        ring().authenticate(f"Bearer {key}")


def test_names_and_scopes_are_listed_and_no_hash(aws: None, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--secret", "key-ring", "list"])
    assert "only-jobs\tjobs\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["add", "only-jobs", "--scopes", "jobs"], "There is a key named only-jobs already"),
        (["add", "new", "--scopes", "jobs,root"], "No such scope: root"),
        (["remove", "nobody"], "There is no key named nobody"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    command: list[str], sentence: str, aws: None
) -> None:
    before = client("secretsmanager").get_secret_value(SecretId="key-ring")["SecretString"]
    with pytest.raises(KeyRingError, match=sentence):
        main(["--secret", "key-ring", *command])
    assert client("secretsmanager").get_secret_value(SecretId="key-ring")["SecretString"] == before


def test_scopes_are_those_that_the_functions_know() -> None:
    from jobticket.web import authentication

    assert set(SCOPES) == authentication.SCOPES | {"*"}
