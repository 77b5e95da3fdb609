"""Rules that make tickets: which anomalies they fit, how many tickets a day, and whether they are broken.

A rule's tickets of a day are a set of anomalies, in an item of its own. An anomaly is added on the condition
that there is room. So a limit also holds for concurrent reports. A repeat takes no second place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from boto3.dynamodb.conditions import Attr, Key

from jobticket import clock
from jobticket.dataclass import replace
from jobticket.errors import ConflictError, NotFoundError
from jobticket.jira.documents.limits import cut_line
from jobticket.store.table import ConditionFailedError, Delete, Item, Put, Table, Update
from jobticket.store.unit_of_work import ABSENT, PRESENT, UnitOfWork, attempts, write, write_if_current
from jobticket.ticketing.layout import RULE_PREFIX, RULES, as_stored, next_number
from jobticket.ticketing.model import Anomaly, Breakage, Rule, RuleCondition, RuleTicket

MOST_RULES = 50
DEFAULT_LIMIT = 50
DEFAULT_TITLE = "{type} anomaly {id} in {container}"
#: How long the tickets of a day are counted.
DAYS_KEPT = timedelta(days=3)

_NAME = re.compile(r"\{(datastore|container|type|id)\}")


def _sort(rule_id: int) -> str:
    return f"{RULE_PREFIX}{rule_id:012d}"


def rule_not_found(rule_id: object) -> NotFoundError:
    return NotFoundError(f"Rule not found: {rule_id}")


def create_rule(work: UnitOfWork, given: dict[str, Any], now: datetime) -> Rule:
    """Add a rule to a unit of work, by default behind all others."""
    last = max((rule.position for rule in all_rules(work.table)), default=0)
    moment = clock.iso_milliseconds(now)
    usual = {
        "enabled": True,
        "position": min(last + 1, 10_000),
        "when": {},
        "ticket": {},
        "daily_limit": DEFAULT_LIMIT,
        "on_recurrence": "nothing",
        "created": moment,
    }
    rule = _rule_from(usual | given | {"id": next_number(work.table, "RULE"), "updated": moment})
    room = Attr("count").not_exists() | Attr("count").lt(MOST_RULES)
    full = ConflictError(f"There can be at most {MOST_RULES} rules")
    work.add(Update(RULES, "COUNT", add={"count": 1}, condition=room), otherwise=full)
    work.add(Put(_item(rule), ABSENT))
    return rule


def change_rule(table: Table, rule_id: int, given: dict[str, Any], now: datetime) -> Rule:
    """Change what is given of a rule. A broken one works again."""
    changed = as_stored(given) | {"updated": clock.iso_milliseconds(now)}
    update = Update(RULES, _sort(rule_id), set=changed, remove=["broken"], condition=PRESENT)
    item = write(table, update, otherwise=rule_not_found(rule_id))
    return counted(table, [_rule_from(item or {})], now)[0]


def delete_rule(table: Table, rule_id: int) -> None:
    """Delete a rule; its tickets and links stay."""
    for work in attempts(table):
        with work:
            work.add(Delete(RULES, _sort(rule_id), PRESENT), otherwise=rule_not_found(rule_id))
            work.add(Update(RULES, "COUNT", add={"count": -1}))


def all_rules(table: Table) -> list[Rule]:
    """Return the rules in their order, without what they did today."""
    found = table.query_all(Key("pk").eq(RULES) & Key("sk").begins_with(RULE_PREFIX))
    return sorted(map(_rule_from, found), key=lambda rule: (rule.position, rule.id))


def find_rule(table: Table, rule_id: int) -> Rule | None:
    """Return a rule, without what it did today; None if it is gone."""
    item = table.get(RULES, _sort(rule_id))
    return None if item is None else _rule_from(item)


def get_rule(table: Table, rule_id: int, now: datetime) -> Rule:
    """Return a rule with what it did today."""
    rule = find_rule(table, rule_id)
    if rule is None:
        raise rule_not_found(rule_id)
    return counted(table, [rule], now)[0]


def counted(table: Table, found: Sequence[Rule], now: datetime) -> list[Rule]:
    """Return rules with what they did today."""
    days = {item["pk"]: item for item in table.get_all([_day(rule.id, now) for rule in found])}
    return [_with_figures(rule, days.get(_day(rule.id, now)[0], {})) for rule in found]


def _with_figures(rule: Rule, day: Item) -> Rule:
    made = len(day.get("made", ())) - day.get("refused", 0)
    return replace(rule, tickets_today=made, beyond_limit_today=day.get("beyond", 0))


def _day(rule_id: int, now: datetime) -> tuple[str, str]:
    return f"RULE_DAY#{rule_id}", clock.iso_milliseconds(now)[:10]


def _rule_from(item: Item) -> Rule:
    parts = {"when": RuleCondition.of(item["when"]), "ticket": RuleTicket.of(item["ticket"])}
    broken = {"broken": Breakage.of(item["broken"])} if "broken" in item else {}
    return Rule.of(item | parts | broken)


def _item(rule: Rule) -> Item:
    return {"pk": RULES, "sk": _sort(rule.id), **as_stored(rule)}


# ---------------------------------------------------------------------------------------- what a rule fits


def fits(rule: Rule, anomaly: Anomaly) -> bool:
    """Tell whether an anomaly is one of a rule's."""
    when, container = rule.when, anomaly.container
    found = {check.rule_type for check in anomaly.failed_checks}
    return (
        (when.types is None or anomaly.type in when.types)
        and (when.datastore_ids is None or anomaly.datastore.id in when.datastore_ids)
        and (when.container_ids is None or (container is not None and container.id in when.container_ids))
        and (when.rule_types is None or not found.isdisjoint(when.rule_types))
        and (when.min_weight is None or (anomaly.weight is not None and anomaly.weight >= when.min_weight))
    )


def first_fitting(rules: Sequence[Rule], anomaly: Anomaly) -> Rule | None:
    """Return the rule that makes an anomaly's ticket. A broken one rests, as if it was not enabled."""
    working = (rule for rule in rules if rule.enabled and rule.broken is None)
    return next((rule for rule in working if fits(rule, anomaly)), None)


def title_of(rule: Rule, anomaly: Anomaly) -> str:
    """Return the title of a rule's ticket."""
    place = anomaly.container or anomaly.datastore
    values = {
        "datastore": anomaly.datastore.name,
        "container": place.name,
        "type": anomaly.type,
        "id": str(anomaly.id),
    }
    return cut_line(_NAME.sub(lambda found: values[found[1]], rule.ticket.title or DEFAULT_TITLE))


def limit_note(rule: Rule) -> str:
    """Return what the day's last ticket says."""
    return (
        f'The rule "{rule.name}" has reached its limit of {rule.daily_limit} tickets a day. '
        "Further anomalies of this day (UTC) get no ticket by it."
    )


# ----------------------------------------------------------------------------------- what a rule did today


def take_place(table: Table, rule: Rule, anomaly_id: int, now: datetime) -> bool:
    """Count an anomaly's ticket, each once; False if the day's limit is reached."""
    made = Attr("made")
    room = made.not_exists() | made.size().lt(rule.daily_limit) | made.contains(anomaly_id)
    kept = {"expires_at": clock.epoch(now + DAYS_KEPT)}
    try:
        table.update(Update(*_day(rule.id, now), set=kept, add={"made": {anomaly_id}}, condition=room))
    except ConditionFailedError:
        return False
    return True


def is_last(table: Table, rule: Rule, anomaly_id: int, now: datetime) -> bool:
    """Tell whether an anomaly's ticket is the day's last, which says so; one is."""
    full = Attr("made").size().gte(rule.daily_limit)
    first = Attr("last").not_exists() | Attr("last").eq(anomaly_id)
    note = Update(*_day(rule.id, now), set={"last": anomaly_id}, condition=full & first)
    return write_if_current(table, note) is not None


def count_beyond(work: UnitOfWork, rule: Rule, now: datetime) -> None:
    """Count an anomaly that got no ticket because of the limit."""
    work.add(Update(*_day(rule.id, now), add={"beyond": 1}))


def break_rule(work: UnitOfWork, rule: Rule, reason: str, details: str, now: datetime) -> None:
    """Suspend a rule until it is saved again: Jira refuses its tickets for good."""
    broken = {"since": clock.iso_milliseconds(now), "error": reason, "details": details}
    same = Attr("updated").eq(rule.updated)
    work.add(Update(*_day(rule.id, now), add={"refused": 1}))
    work.add(Update(RULES, _sort(rule.id), set={"broken": broken}, condition=same))


def with_comments(rules: Sequence[Rule]) -> Iterator[int]:
    """Yield the rules whose tickets get a comment when an anomaly recurs."""
    for rule in rules:
        if rule.enabled and rule.on_recurrence == "comment":
            yield rule.id
