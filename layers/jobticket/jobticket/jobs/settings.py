"""The application's settings: which Jira, and what is pushed to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jobticket import clock
from jobticket.jobs.layout import given
from jobticket.jobs.model import FieldMappings, JobSettings
from jobticket.store.table import Item, Table, Update

_KEY = "SETTINGS"
#: A mapping is an attribute of its own, so that two people changing different ones both succeed.
_MAPPING = "mapping_"


def read_settings(table: Table) -> JobSettings:
    """Return the settings; before the first save, the defaults."""
    return _settings_from(table.get(_KEY, _KEY) or {})


def pushes_are_wanted(settings: JobSettings) -> bool:
    """Tell whether scheduled pushes run: they are enabled and not paused."""
    return settings.enabled and settings.push_enabled and not settings.push_paused


def _settings_from(item: Item) -> JobSettings:
    mappings = {
        name.removeprefix(_MAPPING): value for name, value in item.items() if name.startswith(_MAPPING)
    }
    return JobSettings.of({**item, "field_mappings": FieldMappings.of(mappings)})


def change_settings(
    table: Table, now: datetime, *, field_mappings: Mapping[str, str | None] | None = None, **changes: Any
) -> JobSettings:
    """Change what is given, and return all settings; an empty text clears its setting."""
    mappings = {_MAPPING + name: value for name, value in (field_mappings or {}).items()}
    changed = given(changes | mappings) | {"updated_at": clock.iso_milliseconds(now)}
    cleared = [name for name, value in changed.items() if value == ""]
    kept = {name: value for name, value in changed.items() if value != ""}
    return _settings_from(table.update(Update(_KEY, _KEY, set=kept, remove=cleared)))
