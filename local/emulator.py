"""Start the AWS emulator, and talk to it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from local.ports import free_port, is_free
from local.processes import Process, start_process
from local.settings import HOST

REGION = "eu-west-1"
ACCOUNT_KEY = "test"  # id and secret of the emulated account's root, which deploys

# With more workers, the emulator refuses calls instead of queueing them. The proxy stays below.
CONCURRENT_CALLS = 20
TEMPORARY = "tmp"  # in the data folder


class Emulator:
    """The running emulator."""

    def __init__(self, port: int, process: Process) -> None:
        self.url = f"http://{HOST}:{port}"
        self.process = process


async def start_emulator(data_dir: Path, lock: int, *, enforce_roles: bool) -> Emulator:
    """Start the emulator on the data that an earlier one left behind."""
    port = _port(data_dir)
    remove_temporary_files(data_dir)  # killed workers leave their code here
    process = await start_process(
        "The AWS emulator",
        "local.ministack",
        [],
        _environment(data_dir, port, enforce_roles=enforce_roles),
        data_dir / "ministack.log",
        lock,
    )
    emulator = Emulator(port, process)
    try:
        await process.wait_until_it_answers(f"{emulator.url}/_ministack/ready", within=120)
    except BaseException:
        await process.stop()
        raise
    return emulator


def remove_temporary_files(data_dir: Path) -> None:
    """Remove what workers unpacked."""
    shutil.rmtree(data_dir / TEMPORARY, ignore_errors=True)


def _port(data_dir: Path) -> int:
    """Use the same inner port at every start: stored addresses of queues contain it."""
    remembered = data_dir / "emulator-port"
    if remembered.exists() and is_free(port := int(remembered.read_text())):
        return port
    port = free_port()
    remembered.write_text(str(port))
    return port


def _environment(data_dir: Path, port: int, *, enforce_roles: bool) -> dict[str, str]:
    """Return exactly this environment, and nothing of the shell's: handlers inherit it from the emulator."""
    temporary = data_dir / TEMPORARY
    temporary.mkdir(parents=True)
    environment = {
        "PATH": os.defpath,
        "HOME": str(temporary),
        "TMPDIR": str(temporary),
        "LANG": "C.UTF-8",
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": HOST,
        "MINISTACK_REGION": REGION,
        "PERSIST_STATE": "1",
        "STATE_DIR": str(data_dir / "aws" / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(data_dir / "aws" / "s3"),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LAMBDA_ACCOUNT_CONCURRENCY": str(CONCURRENT_CALLS),
    }
    return environment | ({"AUTH": "true"} if enforce_roles else {})
