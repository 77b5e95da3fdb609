"""The state file: one JSON document, written whole and swapped in, a moment after each change."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from aiohttp import web

from local.atlassian import default_data
from local.atlassian.emulator import Emulator
from local.atlassian.grants import AccessToken, Code, Family, Grants, RefreshToken
from local.atlassian.model import (
    Account,
    Board,
    Change,
    Comment,
    History,
    Issue,
    Project,
    RemoteLink,
    Sprint,
    Webhook,
)
from local.atlassian.world import Site, World
from local.loud import SavingReport

_VERSION = 1
_SLICE = 200
_DEBOUNCE = 0.5


def save(emulator: Emulator, path: Path) -> None:
    """Write the state at once."""
    _write(path, "".join(_pieces(emulator)))


def load(emulator: Emulator, path: Path) -> bool:
    """Restore the state; False if there is none, or if it is of another version."""
    if not path.exists():
        return False
    document = json.loads(path.read_bytes())  # which takes half of a surrogate pair, as it was written
    if document.get("version") != _VERSION:
        return False
    _restore_world(emulator.world, document)
    emulator.grants = _restore_grants(document["grants"])
    return True


class Keeper:
    """Writes the state some time after a change, without holding up the calls for long."""

    def __init__(self, emulator: Emulator, path: Path) -> None:
        self._emulator = emulator
        self._path = path
        self._changed = asyncio.Event()
        self._writing: asyncio.Future[None] | None = None
        self._report = SavingReport("What the emulated Atlassian holds")

    async def around(self, _app: web.Application) -> AsyncIterator[None]:
        """Run beside the application and write once more when it ends."""
        self._emulator.world.on_change = self._changed.set
        task = asyncio.create_task(self._run())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        # A thread cannot be cancelled: two writers of the same draft would take it away from each other.
        if self._writing is not None:
            await asyncio.wait([self._writing])
        try:
            save(self._emulator, self._path)
        except Exception as error:
            self._report.failed(str(error) or repr(error))
            raise

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            begun = time.monotonic()
            try:
                await self._save_in_slices()
            except Exception as error:  # whatever it is, the next change may be saved
                self._report.failed(str(error) or repr(error))
                self._changed.set()
            else:
                self._report.saved()
            # Large states are written less often, so that writing never takes more than a tenth of the time.
            await asyncio.sleep(max(_DEBOUNCE, 10 * (time.monotonic() - begun)))

    async def _save_in_slices(self) -> None:
        collected: list[str] = []
        for piece in _pieces(self._emulator):
            collected.append(piece)
            await asyncio.sleep(0)
        self._writing = asyncio.ensure_future(asyncio.to_thread(_write, self._path, "".join(collected)))
        await asyncio.shield(self._writing)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.touch(mode=0o600)
    with draft.open("w", encoding="utf-8", errors="surrogatepass") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _plain(record: Any) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


def _json(value: Any) -> str:
    return json.dumps(value, default=_plain, ensure_ascii=False, separators=(",", ":"))


def _pieces(emulator: Emulator) -> Iterator[str]:
    """Yield the document bit by bit. Counters come last: they may be ahead of the issues, never behind."""
    grants = emulator.grants
    yield f'{{"version":{_VERSION},"grants":{_json(vars(grants))},'
    yield f'"accounts":{_json(list(emulator.world.accounts.values()))},"sites":['
    for number, site in enumerate(list(emulator.world.sites.values())):
        yield from _site_pieces(site, "," if number else "")
    yield "]}"


def _site_pieces(site: Site, separator: str) -> Iterator[str]:
    yield f'{separator}{{"id":{_json(site.id)},"slug":{_json(site.slug)},"name":{_json(site.name)},"issues":['
    issues = list(site.issues.values())
    for start in range(0, len(issues), _SLICE):
        part = _json(issues[start : start + _SLICE])[1:-1]
        yield part if start == 0 else "," + part
    rest = {
        "jira": site.jira,
        "projects": list(site.projects.values()),
        "boards": list(site.boards.values()),
        "sprints": list(site.sprints.values()),
        "webhooks": list(site.webhooks.values()),
        "issue_keys": site.issue_keys,
        "last_ids": site.last_ids,
    }
    yield "]," + _json(rest)[1:]


def _restore_world(world: World, document: dict[str, Any]) -> None:
    for account in document["accounts"]:
        world.add_account(Account(**account))
    # A state of an earlier version does not know everybody yet.
    default_data.add_accounts(world)
    for saved in document["sites"]:
        world.add_site(_restore_site(saved))


def _restore_site(saved: dict[str, Any]) -> Site:
    site = Site(saved["id"], saved["slug"], saved["name"], jira=saved["jira"])
    for project in saved["projects"]:
        site.add_project(Project(**project))
    for board in saved["boards"]:
        site.add_board(Board(**board))
    for sprint in saved["sprints"]:
        site.add_sprint(Sprint(**sprint))
    for webhook in saved.get("webhooks", ()):
        site.webhooks[webhook["id"]] = Webhook(**webhook)
    for issue in saved["issues"]:
        site.add_issue(_restore_issue(issue))
    site.issue_keys.update(saved["issue_keys"])
    site.last_ids.update(saved["last_ids"])
    return site


def _restore_issue(saved: dict[str, Any]) -> Issue:
    saved["comments"] = [Comment(**each) for each in saved["comments"]]
    saved["remote_links"] = [RemoteLink(**each) for each in saved["remote_links"]]
    saved["histories"] = [
        History(**{**each, "changes": [Change(**change) for change in each["changes"]]})
        for each in saved["histories"]
    ]
    return Issue(**saved)


def _restore_grants(saved: dict[str, Any]) -> Grants:
    grants = Grants()
    grants.codes = {key: Code(**each) for key, each in saved["codes"].items()}
    grants.families = {key: Family(**each) for key, each in saved["families"].items()}
    grants.refresh_tokens = {key: RefreshToken(**each) for key, each in saved["refresh_tokens"].items()}
    grants.access_tokens = {key: AccessToken(**each) for key, each in saved["access_tokens"].items()}
    grants.sites = saved["sites"]
    return grants
