"""What a site holds. Plain records: the rules about them stand in ``world``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from local.atlassian.adf.nodes import Node

RichText = str | Node
"""A description or a comment: a document if a Cloud site wrote it, wiki markup if a Data Center did."""


@dataclass(frozen=True, slots=True)
class Account:
    """A person, with the names under which Cloud (account_id) and Data Center (name, key) know them."""

    account_id: str
    name: str
    key: str
    display_name: str
    email: str
    password: str | None = None
    api_token: str | None = None
    personal_token: str | None = None
    # Good at the gateway only: a person's token with scopes, and the token of a service account.
    scoped_token: str | None = None
    service_token: str | None = None


@dataclass(slots=True)
class Project:
    id: int
    key: str
    name: str
    lead: str | None
    description: str = ""
    last_number: int = 0


@dataclass(slots=True)
class Comment:
    id: int
    author: str
    body: RichText
    created: int
    updated: int
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Change:
    """One field of one edit, in words (``*_text``) and, for fields with ids, in ids."""

    field: str
    from_id: str | None
    from_text: str | None
    to_id: str | None
    to_text: str | None


@dataclass(slots=True)
class History:
    id: int
    author: str
    created: int
    changes: list[Change]


@dataclass(slots=True)
class RemoteLink:
    id: int
    global_id: str | None
    relationship: str | None
    application: dict[str, Any]
    object: dict[str, Any]


@dataclass(slots=True)
class Issue:
    """A ticket. Lists are replaced, never changed in place, so that a shallow copy is a snapshot."""

    id: int
    key: str
    project_id: int
    type_id: str
    summary: str
    created: int
    updated: int
    creator: str
    status_id: str
    priority_id: str | None = None
    reporter: str | None = None
    assignee: str | None = None
    description: RichText | None = None
    labels: list[str] = field(default_factory=list)
    resolution_id: str | None = None
    resolved: int | None = None
    parent_id: int | None = None
    due_date: str | None = None
    sprint_ids: list[int] = field(default_factory=list)
    components: list[str] = field(default_factory=list)
    fix_versions: list[str] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    time_tracking: dict[str, str] = field(default_factory=dict)
    custom: dict[str, Any] = field(default_factory=dict)
    comments: list[Comment] = field(default_factory=list)
    histories: list[History] = field(default_factory=list)
    remote_links: list[RemoteLink] = field(default_factory=list)
    properties: dict[str, Any] = field(default_factory=dict)
    # Names of attachments by the ids under which documents know them.
    attachments: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Webhook:
    """A webhook: an app's, which expires, or an administrator's, which may have a secret."""

    id: int
    url: str
    events: list[str]
    jql: str = ""
    fields: list[str] = field(default_factory=list)
    app: bool = False
    account: str = ""
    expires: int | None = None
    secret: str | None = None


@dataclass(slots=True)
class Board:
    id: int
    name: str
    type: str
    project_id: int
    sprint_ids: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Sprint:
    """A sprint. It belongs to one board, though other boards may show it."""

    id: int
    name: str
    state: str
    board_id: int
    created: int
    start: int | None = None
    end: int | None = None
    complete: int | None = None
    goal: str = ""
