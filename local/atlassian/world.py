"""The sites and everything in them, with the indexes that make each look-up cheap.

All of it is touched by one thread only, the event loop's, so nothing here locks. Every change calls
``World.changed``, which is how the state file learns that it is out of date.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from local.atlassian import catalogue
from local.atlassian.adf.reader import Media
from local.atlassian.adf.to_wiki import to_markup
from local.atlassian.model import (
    Account,
    Board,
    Change,
    Comment,
    History,
    Issue,
    Project,
    RemoteLink,
    RichText,
    Sprint,
    Webhook,
)

Clock = Callable[[], float]
Ids = dict[int, None]
"""An ordered set of ids."""

_HISTORY_NAMES: Final = {
    "summary": "summary",
    "description": "description",
    "priority_id": "priority",
    "type_id": "issuetype",
    "status_id": "status",
    "resolution_id": "resolution",
    "assignee": "assignee",
    "reporter": "reporter",
    "labels": "labels",
    "parent_id": "parent",
    "due_date": "duedate",
    "sprint_ids": catalogue.SPRINT,
    "components": "components",
    "fix_versions": "fixVersions",
    "versions": "versions",
    "time_tracking": "timetracking",
}


@dataclass(frozen=True, slots=True)
class Event:
    """What webhooks tell of: its name there, and the kind of change in Jira's words."""

    name: str
    kind: str
    issue: Issue
    author: str
    history: History | None = None
    comment: Comment | None = None


class Site:
    """One Jira (or Confluence) site."""

    def __init__(self, cloud_id: str, slug: str, name: str, *, jira: bool = True) -> None:
        self.id = cloud_id
        self.slug = slug
        self.name = name
        self.jira = jira
        self.revision = 0
        self.last_search: tuple[Any, list[int]] | None = None
        self.last_ids: dict[str, int] = {"issue": 10000, "comment": 10000, "history": 10100, "link": 10000}
        self.projects: dict[int, Project] = {}
        self.issues: dict[int, Issue] = {}
        self.boards: dict[int, Board] = {}
        self.sprints: dict[int, Sprint] = {}
        self.webhooks: dict[int, Webhook] = {}
        self.project_keys: dict[str, int] = {}
        self.issue_keys: dict[str, int] = {}
        self.comment_issues: dict[int, int] = {}
        self.by_project: dict[int, Ids] = {}
        self.by_sprint: dict[int, Ids] = {}
        self.by_label: dict[str, Ids] = {}
        self.children: dict[int, Ids] = {}
        # What the search index still believes of issues that were changed a moment ago, and until when.
        self.stale: dict[int, tuple[Issue, float]] = {}

    def next_id(self, kind: str) -> int:
        self.last_ids[kind] = self.last_ids.get(kind, 0) + 1
        return self.last_ids[kind]

    def project(self, id_or_key: str) -> Project | None:
        by_id = self.projects.get(int(id_or_key)) if id_or_key.isascii() and id_or_key.isdigit() else None
        return by_id or self.projects.get(self.project_keys.get(id_or_key.upper(), 0))

    def issue(self, id_or_key: str) -> Issue | None:
        """Find by id, key or, for an issue that was moved, an earlier key."""
        if id_or_key.isascii() and id_or_key.isdigit():
            return self.issues.get(int(id_or_key))
        return self.issues.get(self.issue_keys.get(id_or_key.upper(), 0))

    def add_project(self, project: Project) -> Project:
        self.projects[project.id] = project
        self.project_keys[project.key] = project.id
        self.by_project.setdefault(project.id, {})
        self.last_ids["project"] = max(self.last_ids.get("project", 0), project.id)
        return project

    def add_board(self, board: Board) -> Board:
        self.boards[board.id] = board
        self.last_ids["board"] = max(self.last_ids.get("board", 0), board.id)
        return board

    def add_sprint(self, sprint: Sprint) -> Sprint:
        self.sprints[sprint.id] = sprint
        self.last_ids["sprint"] = max(self.last_ids.get("sprint", 0), sprint.id)
        return sprint

    def add_issue(self, issue: Issue) -> Issue:
        self.issues[issue.id] = issue
        self.issue_keys[issue.key] = issue.id
        for comment in issue.comments:
            self.comment_issues[comment.id] = issue.id
        self._index(issue)
        return issue

    def _index(self, issue: Issue) -> None:
        self.by_project.setdefault(issue.project_id, {})[issue.id] = None
        for sprint in issue.sprint_ids:
            self.by_sprint.setdefault(sprint, {})[issue.id] = None
        for label in issue.labels:
            self.by_label.setdefault(label, {})[issue.id] = None
        if issue.parent_id is not None:
            self.children.setdefault(issue.parent_id, {})[issue.id] = None

    def _unindex(self, issue: Issue) -> None:
        self.by_project[issue.project_id].pop(issue.id, None)
        for sprint in issue.sprint_ids:
            self.by_sprint[sprint].pop(issue.id, None)
        for label in issue.labels:
            self.by_label[label].pop(issue.id, None)
        if issue.parent_id is not None:
            self.children[issue.parent_id].pop(issue.id, None)

    def replace(self, issue: Issue, values: dict[str, Any]) -> None:
        """Set attributes of an issue and keep the indexes right."""
        self._unindex(issue)
        for name, value in values.items():
            setattr(issue, name, value)
        self._index(issue)

    def remove_issue(self, issue: Issue) -> None:
        self._unindex(issue)
        del self.issues[issue.id]
        for comment in issue.comments:
            self.comment_issues.pop(comment.id, None)

    def subtasks(self, issue: Issue) -> list[Issue]:
        children = (self.issues[child] for child in self.children.get(issue.id, ()))
        return [child for child in children if catalogue.ISSUE_TYPES[child.type_id].subtask]


class World:
    """All sites and accounts, and the clock they live by."""

    def __init__(self, clock: Clock = time.time) -> None:
        self._clock = clock
        self.clock_offset = 0.0
        self.sites: dict[str, Site] = {}
        self.accounts: dict[str, Account] = {}
        self.on_change: Callable[[], None] = lambda: None
        self.on_event: Callable[[Site, Event], None] = lambda _site, _event: None

    def now(self) -> float:
        return self._clock() + self.clock_offset

    def now_ms(self) -> int:
        return int(self.now() * 1000)

    def changed(self, site: Site | None = None) -> None:
        if site is not None:
            site.revision += 1
        self.on_change()

    @property
    def default_site(self) -> Site:
        return next(iter(self.sites.values()))

    def site_by_slug(self, slug: str) -> Site | None:
        return next((site for site in self.sites.values() if site.slug == slug), None)

    def add_site(self, site: Site) -> Site:
        self.sites[site.id] = site
        return site

    def add_account(self, account: Account) -> Account:
        self.accounts[account.account_id] = account
        return account

    def create_issue(self, site: Site, project: Project, author: str, values: dict[str, Any]) -> Issue:
        """Create an issue; ``values`` are attributes of :class:`Issue`, custom fields under ``custom``."""
        project.last_number += 1
        now = values.pop("created", self.now_ms())
        values = {"status_id": catalogue.TO_DO.id, "priority_id": catalogue.DEFAULT_PRIORITY, **values}
        issue = Issue(
            id=site.next_id("issue"),
            key=f"{project.key}-{project.last_number}",
            project_id=project.id,
            created=now,
            updated=now,
            creator=author,
            **values,
        )
        site.add_issue(issue)
        self.changed(site)
        self.on_event(site, Event("jira:issue_created", "issue_created", issue, author))
        return issue

    def edit_issue(
        self, site: Site, issue: Issue, author: str, values: dict[str, Any], *, lag: float = 0
    ) -> list[Change]:
        """Apply an edit and remember it in the history; an edit that changes nothing leaves no trace."""
        custom = values.pop("custom", {})
        changes = [*_attribute_changes(self, site, issue, values), *_custom_changes(issue, custom)]
        if not changes:
            return []
        self.remember_for_search(site, issue, lag)
        new = {**values, "updated": self.now_ms()}
        if custom:
            new["custom"] = {**issue.custom, **custom}
        site.replace(issue, new)
        kind = "issue_generic" if any(change.field == "status" for change in changes) else "issue_updated"
        self._write_history(site, issue, author, changes, kind)
        return changes

    def _write_history(self, site: Site, issue: Issue, author: str, changes: list[Change], kind: str) -> None:
        history = History(site.next_id("history"), author, self.now_ms(), changes)
        issue.histories = [*issue.histories, history]
        self.changed(site)
        self.on_event(site, Event("jira:issue_updated", kind, issue, author, history))

    def remember_for_search(self, site: Site, issue: Issue, lag: float) -> None:
        """Keep the version that the search index shows until it catches up."""
        known = site.stale.get(issue.id)
        if lag > 0 and (known is None or known[1] <= self.now()):
            site.stale[issue.id] = (copy.copy(issue), self.now() + lag)

    def delete_issue(self, site: Site, issue: Issue, author: str) -> None:
        self.on_event(site, Event("jira:issue_deleted", "issue_deleted", issue, author))
        for child in list(site.children.get(issue.id, ())):
            self._orphan_or_delete(site, site.issues[child])
        site.remove_issue(issue)
        self.changed(site)

    def _orphan_or_delete(self, site: Site, child: Issue) -> None:
        if catalogue.ISSUE_TYPES[child.type_id].subtask:
            site.remove_issue(child)
        else:
            site.replace(child, {"parent_id": None})

    def move_issue(self, site: Site, issue: Issue, project: Project, author: str) -> None:
        """Move to another project: a new key, while the old one still finds the issue."""
        project.last_number += 1
        old, new = issue.key, f"{project.key}-{project.last_number}"
        change = Change("Key", None, old, None, new)
        site.replace(issue, {"key": new, "project_id": project.id, "updated": self.now_ms()})
        site.issue_keys[new] = issue.id
        self._write_history(site, issue, author, [change], "issue_moved")

    def add_comment(
        self, site: Site, issue: Issue, author: str, body: RichText, properties: dict[str, Any]
    ) -> Comment:
        now = self.now_ms()
        comment = Comment(site.next_id("comment"), author, body, now, now, properties)
        issue.comments = [*issue.comments, comment]
        issue.updated = now
        site.comment_issues[comment.id] = issue.id
        self.changed(site)
        for name in ("comment_created", "jira:issue_updated"):
            self.on_event(site, Event(name, "issue_commented", issue, author, comment=comment))
        return comment

    def put_remote_link(self, site: Site, issue: Issue, link: RemoteLink) -> bool:
        """Add a link, or replace the one with the same global id. True if it is new."""
        for position, known in enumerate(issue.remote_links):
            if link.global_id and known.global_id == link.global_id:
                link.id = known.id
                issue.remote_links[position] = link
                self.changed(site)
                return False
        link.id = site.next_id("link")
        issue.remote_links.append(link)
        self.changed(site)
        return True


def _attribute_changes(world: World, site: Site, issue: Issue, values: dict[str, Any]) -> Iterable[Change]:
    for name, new in values.items():
        old = getattr(issue, name)
        if old != new and name in _HISTORY_NAMES:
            old_id, old_text = _in_words(world, site, issue, name, old)
            new_id, new_text = _in_words(world, site, issue, name, new)
            yield Change(_HISTORY_NAMES[name], old_id, old_text, new_id, new_text)


def _custom_changes(issue: Issue, custom: dict[str, Any]) -> Iterable[Change]:
    for name, new in custom.items():
        old = issue.custom.get(name)
        if old != new:
            yield Change(name, None, _text(issue, old), None, _text(issue, new))


def _in_words(world: World, site: Site, issue: Issue, name: str, value: Any) -> tuple[str | None, str | None]:
    if value is None or value == []:
        return None, "" if name == "labels" else None
    named: dict[str, dict[str, Any]] = {
        "priority_id": catalogue.PRIORITIES,
        "type_id": catalogue.ISSUE_TYPES,
        "status_id": catalogue.STATUSES,
        "resolution_id": catalogue.RESOLUTIONS,
    }
    if name in named:
        return value, named[name][value].name
    if name in ("assignee", "reporter"):
        return value, world.accounts[value].display_name
    if name == "parent_id":
        return str(value), site.issues[value].key
    if name == "sprint_ids":
        return ", ".join(map(str, value)), ", ".join(site.sprints[each].name for each in value)
    if isinstance(value, list):
        return None, " ".join(value)
    return None, _text(issue, value)


def _text(issue: Issue, value: Any) -> str | None:
    """Return a value as the history tells it: a document as markup."""
    if isinstance(value, dict) and value.get("type") == "doc":
        return to_markup(value, Media(issue.attachments))
    return None if value is None else str(value)
