"""How often Jira is called for a push, a comment and an edit when nothing is wrong.

The functions under moto, in front of the emulated Jira, which counts. ``python -m benchmarks push_calls``
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from benchmarks.emulated import emulated
from benchmarks.table import print_table
from tests.unit.conftest import gateway, load_function
from tests.unit.push.conftest import CONNECTION, TICKET, Jira, Shop


@contextmanager
def open_shop() -> Iterator[Shop]:
    """Start the product on an emulated account, with an emulated Jira."""
    with emulated() as url, closing(Jira(url)) as jira:
        job_sync = load_function("job_sync")
        shop = Shop(
            jira,
            job_sync,
            gateway(job_sync),
            gateway(load_function("jobs")),
            gateway(load_function("connections")),
        )
        shop.connect()
        shop.settings(enabled=True, pushEnabled=True, externalId=CONNECTION)
        yield shop


def run() -> None:
    """Print the table."""
    with open_shop() as shop:
        rows = list(_rows(shop, "Cloud"))
        shop.on_data_center()
        rows += _rows(shop, "Data Center")
    print_table("Calls of Jira when nothing is wrong", ["Jira", "what happens", "calls", "which"], rows)


def _rows(shop: Shop, kind: str) -> Iterator[list[str]]:
    job = shop.job()
    for name in ("Main Route", "Rework"):
        shop.parts(shop.path(job, name), 3, completed=1)
    edit = {"external_id": CONNECTION, "issue_id_or_key": TICKET, "summary": "Housing, revision B"}
    jira = gateway(load_function("jira"))
    yield [kind, "a push of two paths", *_asked(shop, lambda: shop.push(job))]
    yield [kind, "a second push", *_asked(shop, lambda: shop.push(job))]
    yield [kind, "a comment summary", *_asked(shop, lambda: shop.comment(job))]
    yield [kind, "edit-issue", *_asked(shop, lambda: jira.put("/api/backend/jira/edit-issue", edit))]


def _asked(shop: Shop, happens: Callable[[], object]) -> tuple[str, str]:
    shop.jira.forget()
    happens()
    calls = shop.jira.asked()
    return str(len(calls)), ", ".join(calls)


if __name__ == "__main__":
    run()
