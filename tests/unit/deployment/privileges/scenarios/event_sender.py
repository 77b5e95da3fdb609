from __future__ import annotations

from tests.support.samples import EVENTS, event_of
from tests.unit.deployment.privileges.driving import Driven


def drive(event_sender: Driven) -> None:
    for path in EVENTS["event_sender"]:
        event_sender.handle(event_of(path))
