"""The application's settings: which Jira, and what is pushed to it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from jobticket import clock
from jobticket.jobs.model import FieldMappings, JobSettings
from jobticket.store.table import Item, Table, Update

if TYPE_CHECKING:
    from jobticket.jobs.bodies import SettingsChange

_KEY = "SETTINGS"
#: A mapping is an attribute of its own, so that two people changing different ones both succeed.
_MAPPING = "mapping_"


def read_settings(table: Table) -> JobSettings:
    """Return the settings; before the first save, the defaults."""
    return _settings_from(table.get(_KEY, _KEY) or {})


def pushes_are_wanted(settings: JobSettings) -> bool:
    """Tell whether runs push anything for now: switched on, and not paused."""
    return settings.enabled and settings.push_enabled and not settings.push_paused


def _settings_from(item: Item) -> JobSettings:
    mappings = {
        name.removeprefix(_MAPPING): value for name, value in item.items() if name.startswith(_MAPPING)
    }
    return JobSettings.of({**item, "field_mappings": FieldMappings.of(mappings)})


def change_settings(table: Table, body: SettingsChange, now: datetime) -> JobSettings:
    """Change what the body names, and return all settings."""
    changes: dict[str, Any] = body.model_dump(exclude_none=True, exclude={"field_mappings"})
    cleared = [name for name, value in changes.items() if value == ""]
    given = {name: value for name, value in changes.items() if value != ""}
    if body.field_mappings is not None:
        mappings = body.field_mappings.model_dump(exclude_none=True)
        given |= {_MAPPING + name: value for name, value in mappings.items()}
    given["updated_at"] = clock.iso_milliseconds(now)
    return _settings_from(table.update(Update(_KEY, _KEY, set=given, remove=cleared)))
