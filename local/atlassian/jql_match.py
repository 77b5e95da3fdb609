"""What the clauses of a JQL query mean for an issue."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from local.atlassian import catalogue
from local.atlassian.jql import Both, Clause, Either, Negated, Node, Order, Query, Value, failure
from local.atlassian.model import Issue, Sprint
from local.atlassian.rich_text import words
from local.atlassian.routing import Call

Predicate = Callable[[Issue], bool]

_EQUALITY = frozenset({"=", "!=", "in", "not in", "is", "is not"})
_TEXT = frozenset({"~", "!~", "is", "is not"})
_ORDERED = frozenset({"=", "!=", ">", ">=", "<", "<=", "in", "not in", "is", "is not"})
_ALIASES = {
    "id": "key",
    "issue": "key",
    "issuekey": "key",
    "type": "issuetype",
    "epic link": catalogue.EPIC_LINK,
    "due": "duedate",
    "part number": "customfield_10908",
    "goal quantity": "customfield_10900",
}
_RELATIVE = re.compile(r"^([+-]?\d+)([wdhm])$")
_UNIT_MS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000}


def _canonical(field: str) -> str:
    name = field.lower()
    if found := re.fullmatch(r"cf\[(\d+)\]", name):
        name = f"customfield_{found[1]}"
    return _ALIASES.get(name, name)


class Matcher:
    """Compiles a query for one call: who asks, and on which site, decides what names mean."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._site = call.site

    def predicate(self, node: Node) -> Predicate:
        match node:
            case Both(parts):
                checks = [self.predicate(part) for part in parts]
                return lambda issue: all(check(issue) for check in checks)
            case Either(parts):
                checks = [self.predicate(part) for part in parts]
                return lambda issue: any(check(issue) for check in checks)
            case Negated(part):
                inner = self.predicate(part)
                return lambda issue: not inner(issue)
            case Clause():
                return self._clause(node)

    def _clause(self, clause: Clause) -> Predicate:
        field = _canonical(clause.field)
        if field in ("summary", "description", "text", "customfield_10908", "comment"):
            return _text_clause(clause, field)
        if field in ("created", "updated"):
            return self._date_clause(clause, field)
        allowed = _ORDERED if field == "key" else _EQUALITY
        if clause.operator not in allowed:
            raise failure(f"The operator '{clause.operator}' is not supported by the '{clause.field}' field.")
        if field == "key" and clause.operator in (">", ">=", "<", "<="):
            return self._key_order(clause)
        wanted, read = self._wanted(clause, field), self._reader(clause, field)
        if clause.operator in ("!=", "not in", "is not"):
            # As in SQL, an issue without a value is no match for "is not this one" either.
            needs_value = clause.operator != "is not" and None not in wanted
            return lambda issue: not (wanted & (have := read(issue))) and not (needs_value and None in have)
        return lambda issue: bool(wanted & read(issue))

    def _wanted(self, clause: Clause, field: str) -> frozenset[Any]:
        is_test = clause.operator in ("is", "is not")
        if is_test and not all(value.empty for value in clause.values):
            raise failure(f"The operator '{clause.operator}' only takes EMPTY or NULL.")
        found: set[Any] = set()
        for value in clause.values:
            found.update((None,) if value.empty else self._resolve(clause, field, value))
        return frozenset(found)

    def _resolve(self, clause: Clause, field: str, value: Value) -> Iterable[Any]:
        if value.function:
            return self._function(clause, field, value)
        resolver = self._resolvers().get(field)
        if resolver is None:
            raise failure(f"Field '{clause.field}' does not exist or you do not have permission to view it.")
        found = resolver(value.text)
        if found is None:
            raise failure(_missing(clause.field, field, value.text))
        return found

    def _resolvers(self) -> dict[str, Callable[[str], Iterable[Any] | None]]:
        return {
            "project": self._projects,
            "key": self._issues,
            "parent": self._issues,
            "sprint": self._sprints,
            "status": lambda text: _by_name(catalogue.STATUSES, text),
            "priority": lambda text: _by_name(catalogue.PRIORITIES, text),
            "issuetype": lambda text: _by_name(catalogue.ISSUE_TYPES, text),
            "resolution": _resolutions,
            "statuscategory": _categories,
            "labels": lambda text: [text],
            "assignee": self._people,
            "reporter": self._people,
            catalogue.EPIC_LINK: lambda text: [text],
            "customfield_10900": lambda text: [float(text)] if re.fullmatch(r"-?\d+(\.\d+)?", text) else None,
        }

    def _reader(self, clause: Clause, field: str) -> Callable[[Issue], frozenset[Any]]:
        reader = _READERS.get(field)
        if reader is None:
            raise failure(f"Field '{clause.field}' does not exist or you do not have permission to view it.")
        return reader

    def _projects(self, text: str) -> Iterable[Any] | None:
        project = self._site.project(text)
        if project is None:
            every = self._site.projects.values()
            project = next((each for each in every if each.name.lower() == text.lower()), None)
        return [project.id] if project and self._call.sees(project) else None

    def _issues(self, text: str) -> Iterable[Any] | None:
        issue = self._site.issue(text)
        if issue is None or not self._call.sees(self._site.projects[issue.project_id]):
            return None
        return [issue.id]

    def _sprints(self, text: str) -> Iterable[Any] | None:
        if text.isdigit():
            return [int(text)] if int(text) in self._site.sprints else None
        return [each.id for each in self._site.sprints.values() if each.name.lower() == text.lower()] or None

    def _people(self, text: str) -> Iterable[Any] | None:
        people = self._call.world.accounts.values()
        found = [p.account_id for p in people if text in (p.account_id, p.name, p.email, p.display_name)]
        return found or None

    def _function(self, clause: Clause, field: str, value: Value) -> Iterable[Any]:
        name = value.text.lower()
        states = {"opensprints": "active", "closedsprints": "closed", "futuresprints": "future"}
        if field == "sprint" and name in states:
            every: Iterable[Sprint] = self._site.sprints.values()
            return [each.id for each in every if each.state == states[name]]
        if field in ("assignee", "reporter") and name == "currentuser":
            return [self._call.author] if self._call.account else []
        raise failure(
            f"Unable to find JQL function '{value.text}()'. It cannot be used with field '{clause.field}'."
        )

    def _key_order(self, clause: Clause) -> Predicate:
        (bound,) = self._resolve(clause, "key", clause.values[0])
        project = self._site.issues[bound].project_id
        compare = _COMPARE[clause.operator]
        number = _number(self._site.issues[bound].key)
        return lambda issue: issue.project_id == project and compare(_number(issue.key), number)

    def _date_clause(self, clause: Clause, field: str) -> Predicate:
        if clause.operator not in _COMPARE:
            raise failure(f"The operator '{clause.operator}' is not supported by the '{clause.field}' field.")
        compare, bound = _COMPARE[clause.operator], self._moment(clause)
        return lambda issue: compare(getattr(issue, field), bound)

    def _moment(self, clause: Clause) -> int:
        text = clause.values[0].text
        if found := _RELATIVE.match(text):
            return self._call.world.now_ms() + int(found[1]) * _UNIT_MS[found[2]]
        for form in ("%Y-%m-%d", "%Y/%m/%d", "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M"):
            try:
                return int(datetime.strptime(text, form).replace(tzinfo=UTC).timestamp() * 1000)
            except ValueError:
                continue
        raise failure(f"Date value '{text}' for field '{clause.field}' is invalid.")

    # What the search can start from instead of looking at every issue.

    def candidates(self, node: Node | None) -> Iterable[int]:
        """Return a set of ids that holds every match, as small as the indexes allow."""
        options: list[list[int]] = [
            found for part in _conjuncts(node) if (found := self._indexed(part)) is not None
        ]
        if not options:
            return self._site.issues.keys()
        return min(options, key=len)

    def _indexed(self, node: Node) -> list[int] | None:
        if not isinstance(node, Clause) or node.operator not in ("=", "in"):
            return None
        field = _canonical(node.field)
        if any(value.empty for value in node.values):
            return None
        index: dict[Any, dict[int, None]] | None = {
            "project": self._site.by_project,
            "sprint": self._site.by_sprint,
            "labels": self._site.by_label,
        }.get(field)  # type: ignore[assignment]  # the three are keyed by different things
        if index is None and field != "key":
            return None
        wanted = self._wanted(node, field)
        return list(wanted) if index is None else [id_ for each in wanted for id_ in index.get(each, ())]

    def sort_key(self, orders: tuple[Order, ...]) -> list[tuple[Callable[[Issue], Any], bool]]:
        """Return sort keys with their direction, the weightiest first."""
        keys: list[tuple[Callable[[Issue], Any], bool]] = []
        for order in orders:
            key = _SORTS.get(_canonical(order.field))
            if key is None:
                raise failure(
                    f"Field '{order.field}' does not exist or you do not have permission to view it."
                )
            keys.append((key, order.descending))
        return keys


def _missing(name: str, field: str, text: str) -> str:
    if field in ("key", "parent"):
        kind = "id" if text.isdigit() else "key"
        return f"An issue with {kind} '{text}' does not exist for field '{name}'."
    if field == "sprint" and text.isdigit():
        return f"Sprint with id '{text}' does not exist or you do not have permission to view it."
    return f"The value '{text}' does not exist for the field '{name}'."


def _by_name(options: dict[str, Any], text: str) -> Iterable[Any] | None:
    if text in options:
        return [text]
    return [each.id for each in options.values() if each.name.lower() == text.lower()] or None


def _resolutions(text: str) -> Iterable[Any] | None:
    return [None] if text.lower() == "unresolved" else _by_name(catalogue.RESOLUTIONS, text)


def _categories(text: str) -> Iterable[Any] | None:
    every = {status.category for status in catalogue.STATUSES.values()}
    names = (text.lower(), {"to do": "new", "in progress": "indeterminate"}.get(text.lower()))
    return [each.key for each in every if each.key in names or each.name.lower() in names] or None


def _one(attribute: str) -> Callable[[Issue], frozenset[Any]]:
    return lambda issue: frozenset((getattr(issue, attribute),))


def _many(attribute: str) -> Callable[[Issue], frozenset[Any]]:
    return lambda issue: frozenset(getattr(issue, attribute) or (None,))


def _custom(name: str) -> Callable[[Issue], frozenset[Any]]:
    return lambda issue: frozenset((issue.custom.get(name),))


_READERS: dict[str, Callable[[Issue], frozenset[Any]]] = {
    "project": _one("project_id"),
    "key": _one("id"),
    "parent": _one("parent_id"),
    "sprint": _many("sprint_ids"),
    "status": _one("status_id"),
    "priority": _one("priority_id"),
    "issuetype": _one("type_id"),
    "resolution": _one("resolution_id"),
    "statuscategory": lambda issue: frozenset((catalogue.STATUSES[issue.status_id].category.key,)),
    "labels": _many("labels"),
    "assignee": _one("assignee"),
    "reporter": _one("reporter"),
    catalogue.EPIC_LINK: _custom(catalogue.EPIC_LINK),
    "customfield_10900": _custom("customfield_10900"),
}

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
}


def _number(key: str) -> int:
    return int(key.rpartition("-")[2])


_SORTS: dict[str, Callable[[Issue], Any]] = {
    "key": lambda issue: (issue.project_id, _number(issue.key)),
    "created": lambda issue: (issue.created, issue.id),
    "updated": lambda issue: (issue.updated, issue.id),
    "summary": lambda issue: issue.summary.lower(),
    "priority": lambda issue: issue.priority_id or "9",
    "status": lambda issue: catalogue.STATUSES[issue.status_id].name,
    "project": lambda issue: issue.project_id,
    "issuetype": lambda issue: catalogue.ISSUE_TYPES[issue.type_id].name,
    "assignee": lambda issue: issue.assignee or "~",
    "duedate": lambda issue: issue.due_date or "~",
    "resolution": lambda issue: issue.resolution_id or "",
    "rank": lambda issue: issue.id,
}


def _conjuncts(node: Node | None) -> tuple[Node, ...]:
    if node is None:
        return ()
    return node.parts if isinstance(node, Both) else (node,)


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+\*?", text.lower())


def _texts_of(issue: Issue, field: str) -> str:
    if field == "summary":
        return issue.summary
    if field == "description":
        return words(issue.description)
    comments = " ".join(words(comment.body) for comment in issue.comments)
    if field == "comment":
        return comments
    if field == "text":
        return " ".join((issue.summary, words(issue.description), comments))
    return str(issue.custom.get(field) or "")


def _text_clause(clause: Clause, field: str) -> Predicate:
    if clause.operator not in _TEXT:
        raise failure(f"The operator '{clause.operator}' is not supported by the '{clause.field}' field.")
    (value,) = clause.values
    if clause.operator in ("is", "is not"):
        empty = clause.operator == "is"
        return lambda issue: (not _texts_of(issue, field)) is empty
    if (clause.operator == "~" and value.empty) or not value.text.strip():
        raise failure(f"The field '{clause.field}' does not support searching for an empty string.")
    wanted = _words(value.text)
    phrase = " ".join(wanted) if value.text.startswith('"') and value.text.endswith('"') else None

    def found(issue: Issue) -> bool:
        have = _words(_texts_of(issue, field))
        if phrase is not None:
            return f" {phrase} " in f" {' '.join(have)} "
        return all(_has_word(have, word) for word in wanted)

    return found if clause.operator == "~" else lambda issue: not found(issue)


def _has_word(have: list[str], word: str) -> bool:
    if word.endswith("*"):
        return any(each.startswith(word[:-1]) for each in have)
    return word in have


def default_order(query: Query) -> tuple[Order, ...]:
    """Without an order of its own a search answers the newest first."""
    return query.order or (Order("created", descending=True),)
