"""Zip the code of functions and layers, the same bytes for the same files, into the emulator's S3."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import shutil
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from local.aws import Aws
from local.errors import LocalStackError
from local.template import resources_of_type
from tools.build_layers import BUILD, LayerBuildError, build_layers, builders_lock, running_interpreter

ROOT = Path(__file__).resolve().parent.parent
BUCKET = "jobticket-code"
ANY_TIME = (2020, 1, 1, 0, 0, 0)
LEFT_OUT = ("__pycache__", ".mypy_cache", ".ruff_cache")
FAST = 1  # not downloaded, but a start waits for them


def upload_code(aws: Aws, template: dict[str, Any]) -> None:
    """Upload the code of functions and layers, and put its addresses into the template."""
    s3 = aws.client("s3")
    _make_bucket(s3)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    present = {entry["Key"] for page in pages for entry in page.get("Contents", [])}
    for properties in resources_of_type(template, "AWS::Serverless::Function").values():
        properties["CodeUri"] = _upload(s3, _zip_folder(_function_folder(properties["CodeUri"])), present)
    layers = _built_layers()
    for properties in resources_of_type(template, "AWS::Serverless::LayerVersion").values():
        zipped = _zip_layer(layers[Path(properties["ContentUri"]).name])
        properties["ContentUri"] = _upload(s3, zipped, present)


def upload_template(aws: Aws, body: str) -> str:
    """Upload a template, as ``sam deploy`` does: an inline template may have at most 51,200 bytes."""
    key = f"{hashlib.sha256(body.encode()).hexdigest()}.template"
    aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body.encode())
    return f"https://s3.amazonaws.com/{BUCKET}/{key}"


def _function_folder(code_uri: str) -> Path:
    folder = ROOT / code_uri
    if not (folder / "app.py").is_file():
        raise LocalStackError(f"template.yaml names {code_uri}, and there is no app.py")
    return folder


def _built_layers() -> dict[str, Path]:
    try:
        return build_layers(running_interpreter())
    except LayerBuildError as error:
        raise LocalStackError(str(error)) from error


def _zip_layer(folder: Path) -> bytes:
    """Zip a built layer once; the stamp beside it tells whether it was built again."""
    stamp = _stamp(folder)
    if kept := next(folder.parent.glob(f"{folder.name}-{stamp}-*.zip"), None):
        return kept.read_bytes()
    for outdated in folder.parent.glob(f"{folder.name}-*.zip"):
        outdated.unlink(missing_ok=True)
    zipped = _zip_folder(folder, left_out=())
    # Another stack may start at the same moment.
    unfinished = folder.with_name(f"{folder.name}.{os.getpid()}")
    unfinished.write_bytes(zipped)
    unfinished.replace(folder.with_name(f"{folder.name}-{stamp}-{hashlib.sha256(zipped).hexdigest()}.zip"))
    return zipped


def link_built(digest: str, place: Path) -> bool:
    """Make a folder of what the zip of a layer holds that has been built here; tell whether it has.

    Its files are links to what was built, and stay when that is built anew.
    """
    for kept in BUILD.glob(f"*/*-{digest}.zip"):
        name, stamp, _ = kept.stem.rsplit("-", 2)
        folder = kept.with_name(name)
        # A call waits for this: rather unpack the zip than wait for somebody who builds.
        with suppress(OSError), builders_lock(fcntl.LOCK_SH | fcntl.LOCK_NB):
            if _stamp(folder) == stamp:
                shutil.copytree(folder, place, copy_function=_link_or_copy)
                return True
        shutil.rmtree(place, ignore_errors=True)
    return False


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # on another file system
        shutil.copyfile(source, target)


def _stamp(folder: Path) -> str:
    return folder.with_suffix(".stamp").read_text()[:16]


def _zip_folder(folder: Path, left_out: tuple[str, ...] = LEFT_OUT) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=FAST) as archive:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            if path.is_file() and not set(name.parts) & set(left_out):
                entry = zipfile.ZipInfo(name.as_posix(), ANY_TIME)
                entry.external_attr = 0o644 << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def _make_bucket(s3: Any) -> None:
    if any(bucket["Name"] == BUCKET for bucket in s3.list_buckets()["Buckets"]):
        return
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})


def _upload(s3: Any, code: bytes, present: set[str]) -> str:
    key = f"{hashlib.sha256(code).hexdigest()}.zip"
    if key not in present:
        s3.put_object(Bucket=BUCKET, Key=key, Body=code)
    return f"s3://{BUCKET}/{key}"
