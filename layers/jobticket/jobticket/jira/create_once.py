"""Creating an issue, once.

Jira has no idempotency key for this. A stable mark becomes a label of the issue. When the outcome of a
creation is unknown (the answer was lost, or the process died), the issue is searched for by its label. The
search index lags, so an issue that is not found may exist all the same. Until the index has caught up,
nothing is created, and the caller is asked to repeat.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from jobticket.dataclass import dataclass
from jobticket.errors import RefusalError
from jobticket.jira import shapes
from jobticket.jira.answers import is_jiras_own_failure, may_still_arrive, refuses_field
from jobticket.jira.client import JiraClient
from jobticket.jira.errors import JiraError, JiraStatusError
from jobticket.jira.search import Search, quoted

#: How long the search index may lag. An issue that is not found after this does not exist.
SEARCH_LAG = timedelta(seconds=60)
#: How long an issue without a label counts as one that may exist: as long as an idempotency key is kept.
NEVER_FOUND = timedelta(hours=24)
#: Pauses between searches within the call that lost the answer. After them, the caller repeats it.
LOOKS = (0.0, 0.5, 1.0, 2.0, 3.0)
COME_BACK_SECONDS = 5
#: The memo of an issue that has no label: it cannot be searched for.
UNLABELLED = {"labelled": False}
#: What differs between two answers that say the same: a trace id, a time.
_NUMBERED = re.compile(r"\S*\d\S*")


class Memory(Protocol):
    """Remembers, beyond the process, that an issue may have been created."""

    @property
    def mark(self) -> str | None:
        """A stable name of the request; None if a repeat cannot be recognised."""

    @property
    def settles_at(self) -> datetime | None:
        """When the search decides whether an earlier try has created an issue; None without such a try."""

    @property
    def memo(self) -> Mapping[str, Any] | None:
        """What that try left."""

    def begin(self, settles_at: datetime, memo: dict[str, Any] | None = None) -> None:
        """Remember that an issue may exist; ``memo`` is ``UNLABELLED`` if it has no label."""

    def undone(self) -> None:
        """Remember that there is certainly no issue."""


@dataclass(frozen=True, slots=True)
class Created:
    """An issue that exists now."""

    id: str
    key: str


class UnsettledError(Exception):
    """It is not known yet whether an issue was created: ask again in some ``seconds``.

    ``cause`` is the error of the call that created it, if it was this one; ``details`` are Jira's words to
    that call, whichever it was.
    """

    def __init__(
        self, seconds: int, cause: JiraError | None = None, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__("it is not known yet whether the issue was created")
        self.seconds = seconds
        self.cause = cause
        self.details = dict(details or {})


class FinalError(Exception):
    """A repeat of the request makes no difference; ``cause`` is the error of the call."""

    def __init__(self, cause: JiraError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class UntraceableError(FinalError):
    """An issue without a label may have been created. Only a person can find it."""


def label_of(mark: str) -> str:
    """Return the label of the issue that a request creates."""
    return f"jobticket-{mark[:24]}"


@dataclass(frozen=True, slots=True)
class CreateOnce:
    """The creation of one issue."""

    client: JiraClient
    #: As Jira accepts them; a description may be a document (ADF). The label is added to their labels.
    fields: Mapping[str, Any]
    memory: Memory
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    #: Pauses between searches within the call that lost the answer; without any, the caller repeats it.
    looks: Sequence[float] = LOOKS

    def run(self) -> Created:
        """Return the issue, newly created or found to exist.

        JiraError if there is none; with ``outcome_unknown``, Jira has refused the search for an earlier one.
        UnsettledError if that is not known yet. FinalError if it cannot be found out, or a second try failed
        in the same way.
        """
        return self.earlier() or self._create(self._label())

    def earlier(self) -> Created | None:
        """Return the issue of an earlier try; None if there certainly is no such issue."""
        label, settles_at = self._label(), self.memory.settles_at
        if label is None or settles_at is None:
            return None
        try:
            found = self._find(label)
        except JiraError as error:
            error.outcome_unknown = True  # that of the earlier creation, not of this search
            raise
        left = (settles_at - self.now()).total_seconds()
        if found is None and left > 0:
            raise UnsettledError(_soon(left), details=(self.memory.memo or {}).get("details"))
        return found

    def _label(self) -> str | None:
        return None if self.memory.mark is None else label_of(self.memory.mark)

    def _create(self, label: str | None) -> Created:
        # Before the call: if this process dies in it, a repeat must know of it.
        latest = self.now() + timedelta(seconds=self.client.deadline.left())
        lag, memo = (SEARCH_LAG, None) if label else (NEVER_FOUND, UNLABELLED)
        self.memory.begin(latest + lag, memo)
        try:
            return self._post(label)
        except RefusalError:
            self.memory.undone()  # there was no credential to ask with
            raise
        except JiraError as error:
            if error.outcome_unknown:
                return self._settle(error, label)
            self.memory.undone()
            if label is not None and refuses_field(error, "labels"):
                return self._create(None)
            raise

    def _post(self, label: str | None) -> Created:
        fields = dict(self.fields)
        if label is not None:
            fields["labels"] = [*fields.get("labels", ()), label]
        version = 3 if isinstance(fields.get("description"), Mapping) else 2
        answer = self.client.post(f"/rest/api/{version}/issue", json={"fields": fields})
        return _created(shapes.created_ticket(answer))

    def _settle(self, error: JiraError, label: str | None) -> Created:
        """Find out what became of a call whose answer was lost."""
        if label is None:
            raise UntraceableError(error) from error
        told = _told(error)
        earlier, again = self.memory.memo, self.memory.settles_at is not None
        self.memory.begin(self.now() + SEARCH_LAG, told)
        found = self._look_for(label)
        if found is not None:
            return found
        if again and is_jiras_own_failure(error) and _alike(told, earlier):
            error.outcome_unknown = False
            raise FinalError(error) from error  # twice the same, and the first time nothing was created
        raise UnsettledError(COME_BACK_SECONDS, error, error.details) from error

    def _look_for(self, label: str) -> Created | None:
        for pause in self.looks:
            if pause >= self.client.deadline.left():
                return None
            self.sleep(pause)
            try:
                found = self._find(label)
            except JiraError:
                continue
            if found is not None:
                return found
        return None

    def _find(self, label: str) -> Created | None:
        jql = f"labels = {quoted(label)} ORDER BY key ASC"
        found = Search(self.client, jql, ("summary",), shapes.created_ticket).some(1).rows
        return _created(found[0]) if found else None


def _created(issue: Mapping[str, Any]) -> Created:
    return Created(str(issue["id"]), issue["key"])


def _told(error: JiraError) -> dict[str, Any] | None:
    """Return an answer of Jira's as a memo; None if there was no answer, or the work may still arrive."""
    if not isinstance(error, JiraStatusError) or may_still_arrive(error):
        return None
    return {"status": error.status, "details": error.details}


def _alike(told: Mapping[str, Any] | None, earlier: Mapping[str, Any] | None) -> bool:
    """Tell whether two memos hold the same answer, but for numbers in its words."""
    if told is None or earlier is None or told["status"] != earlier.get("status"):
        return False
    words, before = (_NUMBERED.sub("", str(each.get("details"))) for each in (told, earlier))
    return words == before


def _soon(left: float) -> int:
    return COME_BACK_SECONDS if left <= SEARCH_LAG.total_seconds() * 2 else int(left)
