"""What can go wrong with the local stack, said so that the person in front of it can act."""

from __future__ import annotations


class LocalStackError(Exception):
    """The local stack cannot go on; the text is shown as it is."""
