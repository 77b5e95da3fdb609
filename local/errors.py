"""Errors of the local stack, worded so that its user can act."""

from __future__ import annotations


class LocalStackError(Exception):
    """The local stack cannot continue; the text is shown as it is."""
