"""A sweep costs what has changed, not what is linked."""

from __future__ import annotations

from tests.unit.ticketing.conftest import Shop
from tests.unit.ticketing.many_links import ManyLinks


def test_a_sweep_costs_what_changed_not_what_is_linked(shop: Shop) -> None:
    many = ManyLinks(shop, 1000)
    many.let_time_pass()
    assert many.sweep() == (1, 0)
    without_change = dict(many.reads)
    # What waits, and the connection; the integration twice, the last sweep, the webhook to keep; this sweep.
    assert without_change == {"Query": 2, "GetItem": 4, "PutItem": 1}
    many.move(150)
    assert many.sweep() == (3, 150)  # a search, and two reads of up to 100 tickets
    assert many.reads["BatchGetItem"] == 2
    assert many.reads["GetItem"] == without_change["GetItem"]
    assert many.reads["UpdateItem"] == 150  # each is noted until it was looked at
