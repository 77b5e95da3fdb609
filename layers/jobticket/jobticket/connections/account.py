"""Whose a credential is: Jira's ``/myself``, which tells the truth where other answers may be anonymous."""

from __future__ import annotations

from jobticket.dataclass import dataclass
from jobticket.jira import shapes
from jobticket.jira.client import Deployment, JiraClient
from jobticket.jira.errors import JiraMalformedAnswerError

MYSELF = "/rest/api/2/myself"


@dataclass(frozen=True, slots=True)
class Account:
    """The account that Jira knows by the credentials."""

    display_name: str
    account_id: str | None
    name: str | None

    @property
    def deployment(self) -> Deployment:
        """Cloud has account ids, a Data Center has user names."""
        return "data_center" if self.account_id is None else "cloud"

    def as_json(self) -> dict[str, str]:
        told = {"displayName": self.display_name, "accountId": self.account_id, "name": self.name}
        return {name: value for name, value in told.items() if value is not None}


def account_at(client: JiraClient) -> Account:
    """Ask Jira for the client's account; raise ``JiraError`` if it does not tell."""
    said = client.get(MYSELF)
    account_id, name = shapes.named(said, "accountId"), shapes.named(said)
    known_as = account_id or name
    if known_as is None:
        raise JiraMalformedAnswerError("it does not answer like Jira")
    return Account(shapes.named(said, "displayName") or known_as, account_id, name)
