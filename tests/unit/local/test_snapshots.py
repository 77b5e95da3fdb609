"""Snapshots of the AWS emulator's state: one file a service, complete or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.ministack import Generations, LargeBytes


@pytest.fixture
def state(tmp_path: Path) -> Path:
    state = tmp_path / "aws" / "state"
    state.mkdir(parents=True)
    return state


def write(state: Path, **contents: str) -> None:
    """Write as the emulator does: a new file takes the old one's place."""
    for service, text in contents.items():
        new = state / f"{service}.json.tmp"
        new.write_text(text)
        new.replace(state / f"{service}.json")


def read(state: Path) -> dict[str, str]:
    return {file.stem: file.read_text() for file in state.glob("*.json*")}


def test_half_written_snapshot_is_undone(state: Path) -> None:
    write(state, dynamodb="1", secretsmanager="1")
    Generations(state).keep()
    write(state, dynamodb="2")
    (state / "secretsmanager.json").unlink()
    (state / "sqs.json.tmp").write_text("{")

    Generations(state).restore()

    assert read(state) == {"dynamodb": "1", "secretsmanager": "1"}


def test_first_snapshot_cut_short_leaves_nothing(state: Path) -> None:
    write(state, cloudformation="1")
    Generations(state).restore()
    assert read(state) == {}


def test_newest_complete_one_is_kept_alone(state: Path) -> None:
    for number in range(4):
        write(state, dynamodb=str(number))
        Generations(state).keep()
    write(state, dynamodb="later")

    Generations(state).restore()

    assert read(state) == {"dynamodb": "3"}
    assert len(list(state.parent.glob("generation-*"))) == 1


def test_what_a_kill_left_of_the_next_generation_is_no_hindrance(state: Path) -> None:
    write(state, dynamodb="1")
    Generations(state).keep()
    for name in ("generation-0", "generation-1"):
        (state.parent / name).mkdir(exist_ok=True)
        (state.parent / name / "kms.json").touch()
    (state.parent / "complete.new").symlink_to("generation-1")
    write(state, dynamodb="2")

    Generations(state).keep()
    Generations(state).restore()

    assert read(state) == {"dynamodb": "2"}


def test_other_files_of_the_emulator_stay(state: Path) -> None:
    (state / "key.pem").write_text("kept")
    Generations(state).restore()
    assert (state / "key.pem").exists()


def test_large_bytes_are_kept_while_they_are_part_of_the_state(tmp_path: Path) -> None:
    large, code, other = LargeBytes(tmp_path / "large"), b"code" * 9, b"other" * 9
    references = [large.put(code), large.put(bytes(bytearray(code))), large.put(other)]
    large.drop_unused()
    assert [large.get(reference) for reference in references] == [code, code, other]
    large.put(code)
    large.drop_unused()
    (tmp_path / "large" / "any.tmp").touch()  # left by a kill
    assert large.get(large.put(code)) == code
    large.drop_unused()
    assert len(list((tmp_path / "large").iterdir())) == 1


def test_large_bytes_that_come_back_are_written_again(tmp_path: Path) -> None:
    large, code = LargeBytes(tmp_path / "large"), b"code" * 9
    large.put(code)
    for _ in range(2):
        large.drop_unused()
    assert large.get(large.put(code)) == code
