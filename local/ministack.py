"""MiniStack, the AWS emulator, with snapshots while it runs and rights as AWS judges them.

:mod:`local.emulator` runs this as a program. MiniStack writes its state only at an orderly stop, so a kill or
a power cut would lose everything since the start. What this takes of it is not public. The version is pinned,
and the start fails at once if a function is missing. The emulator changes its data on its event loop, so
the state is collected there: a thread would copy a table while items are added.

It writes one file for each service. A kill between two files would leave a stack without its secrets. So a
snapshot counts only when it is complete, and a start uses the last complete one.
"""

from __future__ import annotations

import asyncio
import copy
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from local.answers import refuse_malformed_answers
from local.bounds import share_unpacked_code, trim_histories
from local.forks import copy_workers
from local.loud import SavingReport
from local.template import translate_fast

SECONDS_BETWEEN_SNAPSHOTS = 3.0
SHARE_OF_TIME = 4  # a large state is saved less often, to bound the share of time that saving takes
ATTEMPTS = 20
FILES = ("*.json", "lambda-blobs/*.zip", "large/*.bytes")  # code lies beside what names it
LARGE = 10_000  # bytes

CHANGE_THEIR_COPY = ("lambda", "acm")  # take code and keys out of the copy of their state

GetState = Callable[[], Any]


class Generations:
    """Complete snapshots of a folder of state, of which the newest is kept.

    Parameters
    ----------
    state
        Where the emulator writes `<service>.json`, each file replaced as a whole. Snapshots lie beside it.
    """

    def __init__(self, state: Path) -> None:
        self.state = state
        self.complete = state.with_name("complete")  # a link, so that it can be moved in one step

    def restore(self) -> None:
        """Restore the last complete snapshot; without one, clear the state."""
        for file in self.state.glob("*.json*"):
            file.unlink()
        if self.complete.exists():
            self._link_files(self.complete, self.state)

    def keep(self) -> None:
        """Keep the present state as a complete snapshot."""
        former = self.complete.resolve() if self.complete.exists() else None
        odd = former is not None and former.name == "generation-0"
        place = self.complete.with_name("generation-1" if odd else "generation-0")
        shutil.rmtree(place, ignore_errors=True)  # left by a killed program
        self._link_files(self.state, place)
        link = self.complete.with_name("complete.new")
        link.unlink(missing_ok=True)
        link.symlink_to(place.name)
        link.replace(self.complete)
        if former:
            shutil.rmtree(former)

    @staticmethod
    def _link_files(source: Path, target: Path) -> None:
        target.mkdir(parents=True, exist_ok=True)
        for file in (file for pattern in FILES for file in source.glob(pattern)):
            linked = target / file.relative_to(source)
            linked.parent.mkdir(exist_ok=True)
            if not linked.exists():
                os.link(file, linked)


class LargeBytes:
    """Bytes in files beside the state, named by their digests: layers would make 17 MB of text."""

    KEY = "__beside__"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._digests: dict[int, tuple[str, bytes]] = {}  # by id, which stays theirs as they are kept
        self._used: set[str] = set()

    def put(self, value: bytes) -> dict[str, str]:
        """Write the bytes unless they are there, and return what stands for them in the state."""
        if id(value) not in self._digests:
            digest = hashlib.sha256(value).hexdigest()
            file = self._file(digest)
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                draft = file.with_suffix(".tmp")
                draft.write_bytes(value)
                draft.replace(file)
            self._digests[id(value)] = digest, value
        digest, _ = self._digests[id(value)]
        self._used.add(digest)
        return {self.KEY: digest}

    def get(self, reference: Mapping[str, str]) -> bytes:
        return self._file(reference[self.KEY]).read_bytes()

    def drop_unused(self) -> None:
        """Remove what has not been put since the last time. Complete snapshots have links of their own."""
        self._digests = {key: kept for key, kept in self._digests.items() if kept[0] in self._used}
        used = {self._file(digest) for digest in self._used}
        for file in self._folder.glob("*"):
            if file not in used:
                file.unlink()
        self._used.clear()

    def _file(self, digest: str) -> Path:
        return self._folder / f"{digest}.bytes"


class SnapshotError(Exception):
    """The state could not be collected."""


class _Copying(threading.local):
    """Whether a thread's deep copies are made; the emulator copies each state that it hands out."""

    needed = True


_copying = _Copying()
_deepcopy = copy.deepcopy


def _deepcopy_if_needed(value: Any, memo: dict[int, Any] | None = None) -> Any:
    return _deepcopy(value, memo) if _copying.needed else value


def collect(services: Mapping[str, GetState], encode: Callable[[str, Any], str]) -> dict[str, str]:
    """Return the text of every service's state that has any.

    Text is made at once, many times faster than the copy that it stands in for. Some data change outside the
    event loop, such as logs of functions; then collect again.
    """
    texts = {name: _text_of(name, get_state, encode) for name, get_state in services.items()}
    return {name: text for name, text in texts.items() if text is not None}


def _text_of(name: str, get_state: GetState, encode: Callable[[str, Any], str]) -> str | None:
    for attempt in range(1, ATTEMPTS + 1):
        _copying.needed = name in CHANGE_THEIR_COPY
        try:
            state = get_state()
            return None if state is None else encode(name, state)
        except RuntimeError as error:
            if attempt == ATTEMPTS:
                raise SnapshotError(f"{name}: {error}") from error
        finally:
            _copying.needed = True
    return None


class Snapshots:
    """Saves the state every few seconds if there were requests."""

    def __init__(self, ministack: Any, persistence: Any, generations: Generations, large: LargeBytes) -> None:
        self._ministack = ministack
        self._generations = generations
        self._large = large
        self._serve = ministack.app
        self._services: Callable[[], Mapping[str, GetState]] = ministack._build_persistence_save_dict
        self._version: Callable[[str], int] = persistence._state_format_version
        self._default = persistence._json_default
        self._saved: dict[str, str] = {}
        self._report = SavingReport("What the AWS emulator holds")
        self._writing = threading.Lock()
        self._asked = threading.Event()
        self._stopping = threading.Event()

    def install(self) -> None:
        self._ministack.app = self.serve
        self._ministack.save_all = self.save_at_the_end
        copy.deepcopy = _deepcopy_if_needed  # type: ignore[assignment]

    async def serve(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            loop = asyncio.get_running_loop()
            threading.Thread(target=self._run, args=(loop,), daemon=True).start()
        else:
            self._asked.set()
        await self._serve(scope, receive, send)
        self._asked.set()  # for what was done since the last snapshot

    def save_at_the_end(self, services: Mapping[str, GetState]) -> None:
        """Save in MiniStack's own place, which is on the event loop."""
        self._stopping.set()
        self._save(lambda: self._collect(services), last=True)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        pause = SECONDS_BETWEEN_SNAPSHOTS
        while not self._stopping.wait(pause):
            if self._asked.is_set():
                self._asked.clear()
                begun = time.monotonic()
                self._save(lambda: asyncio.run_coroutine_threadsafe(self._collected(), loop).result())
                pause = max(SECONDS_BETWEEN_SNAPSHOTS, SHARE_OF_TIME * (time.monotonic() - begun))

    async def _collected(self) -> dict[str, str]:
        return self._collect(self._services())

    def _collect(self, services: Mapping[str, GetState]) -> dict[str, str]:
        trim_histories()
        texts = collect(services, self._encode)
        self._large.drop_unused()
        return texts

    def _encode(self, service: str, state: Any) -> str:
        """Return what the emulator's own saving writes, which encodes in Python what C can."""
        whole = {"__ministack_format__": self._version(service), "payload": state}
        return json.dumps(whole, default=self._plain)

    def _plain(self, value: Any) -> Any:
        if isinstance(value, bytes) and len(value) >= LARGE:
            return self._large.put(value)
        return self._default(value)

    def _save(self, collected: Callable[[], dict[str, str]], *, last: bool = False) -> None:
        try:
            # Before the lock: the event loop may wait for it, and then nothing could be collected.
            states = collected()
            with self._writing:
                if self._stopping.is_set() and not last:
                    return  # the snapshot at the end is newer
                self._write_whole(states)
        except Exception as error:  # the next snapshot may succeed
            self._report.failed(str(error) or repr(error))
            self._asked.set()
        else:
            self._report.saved()

    def _write_whole(self, states: Mapping[str, str]) -> None:
        """Write what has changed, each file in one step."""
        folder = self._generations.state
        folder.mkdir(parents=True, exist_ok=True)
        changed = {service: text for service, text in states.items() if self._saved.get(service) != text}
        for service, text in changed.items():
            new = folder / f"{service}.json.tmp"
            new.write_text(text)
            new.replace(folder / f"{service}.json")
        if changed:
            self._generations.keep()
            self._saved |= changed


def as_aws_names_it(action: str | None) -> str | None:
    """Return the right that an action needs; a batch of messages needs the right for one."""
    if action is not None and action.startswith("sqs:"):
        return action.removesuffix("Batch")
    return action


def _judge_batches_by_their_messages() -> None:
    """IAM knows no right to send a batch, and refuses policies that name one; MiniStack asks for it."""
    from ministack.core import iam_actions

    extract = iam_actions.extract_iam_action
    iam_actions.extract_iam_action = lambda *request: as_aws_names_it(extract(*request))


def _make_secrets_without_a_value() -> None:
    """CloudFormation gives a secret no value unless the template has one; MiniStack gives it an empty one."""
    from ministack.services import secretsmanager
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS["AWS::SecretsManager::Secret"]
    create = handlers["create"]

    def created(logical_id: str, properties: dict[str, Any], stack: str) -> tuple[str, dict[str, Any]]:
        name: str
        name, attributes = create(logical_id, properties, stack)
        if not properties.keys() & {"SecretString", "GenerateSecretString"}:
            secretsmanager._secrets[name]["Versions"].clear()
        return name, attributes

    handlers["create"] = created


def _read_streams_from_their_start() -> None:
    """MiniStack forgets streams as it ends, but not how far they were read: it would skip new records."""
    from ministack.services import lambda_svc

    get_state = lambda_svc.get_state
    lambda_svc.get_state = lambda: {**get_state(), "dynamodb_stream_positions": {}}


def _read_large_bytes(persistence: Any, large: LargeBytes) -> None:
    """Let the emulator find the bytes that lie beside its state."""
    restored = persistence._json_object_hook
    persistence._json_object_hook = lambda value: (
        large.get(value) if LargeBytes.KEY in value else restored(value)
    )


def main() -> None:
    generations = Generations(Path(os.environ["STATE_DIR"]))
    generations.restore()
    large = LargeBytes(generations.state / "large")
    # Imported only now: some services read their state as they are imported.
    from ministack.core import persistence

    _read_large_bytes(persistence, large)
    from ministack import app as ministack

    Snapshots(ministack, persistence, generations, large).install()
    _judge_batches_by_their_messages()
    refuse_malformed_answers()
    share_unpacked_code()
    copy_workers()
    _make_secrets_without_a_value()
    _read_streams_from_their_start()
    translate_fast()
    ministack.main()


if __name__ == "__main__":
    main()
