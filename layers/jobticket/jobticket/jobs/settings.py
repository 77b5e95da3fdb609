"""The application's settings: which Jira, and what is pushed to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobticket.history.records import Stamp, differences, record
from jobticket.jobs.layout import given, unchanged
from jobticket.jobs.model import FieldMappings, JobSettings
from jobticket.store.table import Item, Table, Update
from jobticket.store.unit_of_work import attempts

#: The key of the settings, and the subject of their history.
SETTINGS = "SETTINGS"
#: Each mapping is an attribute, so that two people changing different ones both succeed.
_MAPPING = "mapping_"


def read_settings(table: Table) -> JobSettings:
    """Return the settings; before the first save, the defaults."""
    return _settings_from(table.get(SETTINGS, SETTINGS) or {})


def pushes_are_wanted(settings: JobSettings) -> bool:
    """Tell whether scheduled pushes run: they are enabled and not paused."""
    return settings.enabled and settings.push_enabled and not settings.push_paused


def _settings_from(item: Item) -> JobSettings:
    mappings = {
        name.removeprefix(_MAPPING): value for name, value in item.items() if name.startswith(_MAPPING)
    }
    return JobSettings.of({**item, "field_mappings": FieldMappings.of(mappings)})


def change_settings(
    table: Table, stamp: Stamp, *, field_mappings: Mapping[str, str | None] | None = None, **changes: Any
) -> JobSettings:
    """Change what is given, and return all settings; an empty text clears its setting."""
    mappings = {_MAPPING + name: value for name, value in (field_mappings or {}).items()}
    wanted = given(changes | mappings)
    cleared = [name for name, value in wanted.items() if value == ""]
    for work in attempts(table):
        with work:
            item = table.get(SETTINGS, SETTINGS) or {}
            before, stamp = _settings_from(item), stamp.after(item.get("updated_at"))
            kept = {name: value for name, value in wanted.items() if value != ""}
            kept["updated_at"] = stamp.moment
            condition = unchanged(before.updated_at)
            work.add(Update(SETTINGS, SETTINGS, set=kept, remove=cleared, condition=condition))
            after = {name: value for name, value in {**item, **kept}.items() if name not in cleared}
            changed = _settings_from(after)
            fields = {name: value for name, value in vars(changed).items() if name != "updated_at"}
            if differing := differences(before, fields):
                record(work, stamp, SETTINGS, "changed", changes=differing)
    return changed
