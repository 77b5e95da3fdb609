"""Issue types and priorities, found by name or id; what Jira said is remembered for some minutes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jobticket.jira.client import JiraClient
from jobticket.jira.listing import Row
from jobticket.jira.projects import issue_types, priorities

#: The type of a new issue, where the project has it.
USUAL_TYPE = "Task"
REMEMBERED_SECONDS = 300.0
#: Stands in place of a project; no project has such a key.
_PRIORITIES = "(priorities)"


def find(choices: Sequence[Row], wanted: str) -> Row | None:
    """Return the choice with this name or id; a name comes first."""
    named = next((choice for choice in choices if choice["name"] == wanted), None)
    return named or next((choice for choice in choices if choice["id"] == wanted), None)


def default_type(types: Sequence[Row]) -> Row | None:
    """Return the type of an issue for which no type is named: Task, or else the first one.

    A subtask needs a parent, so its type is no default.
    """
    whole = [choice for choice in types if not choice["subtask"]]
    return find(whole, USUAL_TYPE) or next(iter(whole), None)


class RecentChoices:
    """Remembers choices, so that not every new ticket takes further calls."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._known: dict[tuple[str, str | None], tuple[float, list[Row]]] = {}

    def issue_types(self, client: JiraClient, project: str) -> list[Row]:
        """Return a project's issue types, perhaps as they were some minutes ago."""
        return self._recent((client.site.browse_url, project)) or self.read_types(client, project)

    def read_types(self, client: JiraClient, project: str | None) -> list[Row]:
        """Read issue types now."""
        return self._remember((client.site.browse_url, project), issue_types(client, project))

    def priorities(self, client: JiraClient) -> list[Row]:
        """Return priorities, perhaps as they were some minutes ago."""
        key = (client.site.browse_url, _PRIORITIES)
        return self._recent(key) or self._remember(key, priorities(client))

    def forget(self) -> None:
        """Forget everything: Jira has refused something that it once offered."""
        self._known.clear()

    def _recent(self, key: tuple[str, str | None]) -> list[Row] | None:
        until, known = self._known.get(key, (0.0, []))
        return known if self._monotonic() < until else None

    def _remember(self, key: tuple[str, str | None], found: list[Row]) -> list[Row]:
        self._known[key] = (self._monotonic() + REMEMBERED_SECONDS, found)
        return found
