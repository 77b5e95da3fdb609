"""MiniStack, the AWS emulator, with snapshots while it runs and rights as AWS judges them.

Run by :mod:`local.emulator` as a program. MiniStack itself writes its state when it is stopped in an orderly
way and at no other time, so a kill or a power cut would take everything since the start. Its saving function
is not a public one; the version is pinned, and the start fails at once should it be gone.

It writes a file a service, one after the other: a kill between two of them leaves a stack whose secrets are
missing. So a snapshot counts only once it is complete, and a start goes back to the last that is.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
from pathlib import Path
from typing import Any

__all__ = ["Generations", "main"]

SECONDS_BETWEEN_SNAPSHOTS = 3.0


class Generations:
    """Complete snapshots of a folder of state, of which the newest is kept.

    Parameters
    ----------
    state
        Where the emulator writes `<service>.json`, each file replaced as a whole. Snapshots lie beside it.
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        self.complete = state.with_name("complete")  # a link, so that it can be moved in one step

    def restore(self) -> None:
        """Let the state be what the last complete snapshot holds; nothing if there is none."""
        for file in self._state.glob("*.json*"):
            file.unlink()
        if self.complete.exists():
            self._link_files(self.complete, self._state)

    def keep(self) -> None:
        """Take what lies in the state now for complete."""
        former = self.complete.resolve() if self.complete.exists() else None
        odd = former is not None and former.name == "generation-0"
        place = self.complete.with_name("generation-1" if odd else "generation-0")
        shutil.rmtree(place, ignore_errors=True)  # begun before a kill
        self._link_files(self._state, place)
        link = self.complete.with_name("complete.new")
        link.unlink(missing_ok=True)
        link.symlink_to(place.name)
        link.replace(self.complete)
        if former:
            shutil.rmtree(former)

    @staticmethod
    def _link_files(source: Path, target: Path) -> None:
        target.mkdir(parents=True, exist_ok=True)
        for file in source.glob("*.json"):
            os.link(file, target / file.name)


class _Failures(logging.Handler):
    """Notices what MiniStack's saving only logs."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen = False

    def emit(self, _record: logging.LogRecord) -> None:
        self.seen = True


class _Snapshots:
    """Saves the state every few seconds in which something was asked."""

    def __init__(self, ministack: Any, generations: Generations) -> None:
        self._ministack = ministack
        self._generations = generations
        self._serve = ministack.app
        self._save = ministack.save_all
        self._collect = ministack._build_persistence_save_dict
        self._failures = _Failures()
        self._saving = threading.Lock()
        self._asked = threading.Event()
        self._stopping = threading.Event()

    def install(self) -> None:
        self._ministack.app = self.serve
        self._ministack.save_all = self.save
        logging.getLogger("persistence").addHandler(self._failures)
        threading.Thread(target=self._run, daemon=True).start()

    async def serve(self, scope: Any, receive: Any, send: Any) -> None:
        await self._serve(scope, receive, send)
        if scope["type"] == "lifespan":
            self._stopping.set()
        else:
            self._asked.set()

    def save(self, state: Any) -> None:
        # The one at the end and one of these must not write the same files at the same time.
        with self._saving:
            self._failures.seen = False
            self._save(state)
            if self._failures.seen:
                self._asked.set()
            else:
                self._generations.keep()

    def _run(self) -> None:
        while not self._stopping.wait(SECONDS_BETWEEN_SNAPSHOTS):
            if self._asked.is_set():
                self._asked.clear()
                self.save(self._collect())


def as_aws_names_it(action: str | None) -> str | None:
    """Return the right that an action needs: for a batch of messages, it is that for one."""
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


def main() -> None:
    generations = Generations(Path(os.environ["STATE_DIR"]))
    generations.restore()
    # Imported only now: some services read their state as they are imported.
    from ministack import app as ministack

    logging.getLogger("persistence").setLevel(logging.WARNING)  # otherwise a line a service at every snapshot
    _Snapshots(ministack, generations).install()
    _judge_batches_by_their_messages()
    _make_secrets_without_a_value()
    ministack.main()


if __name__ == "__main__":
    main()
