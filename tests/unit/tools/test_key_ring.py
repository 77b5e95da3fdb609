"""The operator's tool for keys, and how functions read its ring."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from jobticket.errors import UnauthenticatedError, UnavailableError
from jobticket.secret_store import fetch_secret
from jobticket.web.authentication import KeyRing
from tests.unit.conftest import client
from tools.key_ring import SCOPES, KeyRingError, add, is_good, main


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


@pytest.mark.parametrize("at_once", [True, False], ids=["gone", "to be deleted"])
def test_a_ring_that_is_deleted_does_not_replace_the_one_that_is_known(
    aws: None, at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []
    monkeypatch.setattr("jobticket.web.authentication.count", counted.append)
    seconds = iter(range(0, 10_000, 100))
    known = KeyRing(
        lambda: fetch_secret(client("secretsmanager"), "key-ring"), lambda: next(seconds) / 10, local=False
    )
    known.authenticate("Bearer only-jobs")
    client("secretsmanager").delete_secret(SecretId="key-ring", ForceDeleteWithoutRecovery=at_once)
    while not counted:  # a key that is not known has the ring fetched
        with pytest.raises(UnauthenticatedError):
            known.authenticate("Bearer unknown")
    assert counted == ["KeyRingFault"]
    assert known.authenticate("Bearer only-jobs").scopes == {"jobs"}
    with pytest.raises(UnavailableError):
        ring().authenticate("Bearer only-jobs")


def test_a_secret_that_is_not_there_is_not_an_empty_ring(aws: None) -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        main(["--secret", "mistyped", "add", "tablets", "--scopes", "jobs"])


@pytest.mark.parametrize("command", [["list"], ["add", "new", "--scopes", "jobs"], ["remove", "new"]])
@pytest.mark.parametrize("text", ["{hush", '"hush"', '["hush"]', '{"kys": ["hush"]}', '{"keys": "hush"}'])
def test_a_secret_that_is_no_ring_is_told_of_not_shown_and_not_replaced(
    aws: None, text: str, command: list[str]
) -> None:
    secrets = client("secretsmanager")
    secrets.put_secret_value(SecretId="key-ring", SecretString=text)
    with pytest.raises(KeyRingError, match="no key ring") as told:
        main(["--secret", "key-ring", *command])
    assert "hush" not in str(told.value)
    assert secrets.get_secret_value(SecretId="key-ring")["SecretString"] == text


def test_an_empty_object_is_an_empty_ring(aws: None, capsys: pytest.CaptureFixture[str]) -> None:
    client("secretsmanager").put_secret_value(SecretId="key-ring", SecretString="{}")
    main(["--secret", "key-ring", "add", "tablets", "--scopes", "jobs"])
    assert ring().authenticate(f"Bearer {capsys.readouterr().out.strip()}").name == "tablets"


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
        (["add", "new", "--scopes", "jobs;*"], "No such scope: jobs;\\*"),
        (["add", "new", "--scopes", ""], "No such scope: "),
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


GOOD: dict[str, Any] = {"name": "bad", "sha256": hashlib.sha256(b"bad").hexdigest(), "scopes": ["jobs"]}
MALFORMED: list[Any] = [
    None,
    "text",
    [],
    {},
    GOOD | {"name": 5},
    GOOD | {"sha256": 123},
    GOOD | {"sha256": None},
    GOOD | {"sha256": "ü" * 64},
    GOOD | {"sha256": "bad"},
    GOOD | {"sha256": GOOD["sha256"] + "\n"},
    GOOD | {"scopes": "jobs,*"},
    GOOD | {"scopes": "*"},
    GOOD | {"scopes": ["jobs,*"]},
    GOOD | {"scopes": ["jobs", "root"]},
    GOOD | {"scopes": ["jobs", ["*"]]},
    GOOD | {"scopes": [None]},
    GOOD | {"scopes": {"jobs": True}},
    GOOD | {"scopes": None},
    {name: GOOD[name] for name in ("name", "sha256")},
]


@pytest.mark.parametrize("entry", MALFORMED, ids=repr)
def test_a_malformed_entry_grants_nothing_harms_no_other_and_is_shown(
    entry: Any, aws: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert is_good(GOOD)
    assert not is_good(entry)
    secrets = client("secretsmanager")
    keys = json.loads(secrets.get_secret_value(SecretId="key-ring")["SecretString"])["keys"]
    secrets.put_secret_value(SecretId="key-ring", SecretString=json.dumps({"keys": [entry, *keys]}))
    with pytest.raises(UnauthenticatedError):
        ring().authenticate("Bearer bad")
    assert ring().authenticate("Bearer only-jobs").scopes == {"jobs"}
    capsys.readouterr()
    main(["--secret", "key-ring", "list"])
    listed = capsys.readouterr().out.splitlines()
    assert "malformed" in listed[0]
    assert not any("malformed" in line for line in listed[1:])


def test_a_malformed_entry_can_be_removed_by_its_name(aws: None) -> None:
    secrets = client("secretsmanager")
    keys = [GOOD | {"scopes": "jobs,*"}, None, GOOD | {"name": "good"}]
    secrets.put_secret_value(SecretId="key-ring", SecretString=json.dumps({"keys": keys}))
    main(["--secret", "key-ring", "remove", "bad"])
    assert json.loads(secrets.get_secret_value(SecretId="key-ring")["SecretString"])["keys"] == keys[1:]


def test_scopes_that_are_no_list_of_words_are_refused() -> None:
    for scopes in ("jobs,*", [], ["*,jobs"]):
        with pytest.raises(KeyRingError):
            add([], "new", scopes, "key")
