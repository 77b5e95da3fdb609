"""Where calls of Jira are counted: an emulated account, an emulated Jira, and a silent log."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from jobticket.observability import logger
from local.atlassian.testing import running
from tests.unit.conftest import account


@contextmanager
def emulated() -> Iterator[str]:
    """Start both and yield the URL of the emulated Jira."""
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    level = logger.log_level
    logger.setLevel(logging.CRITICAL)
    try:
        with account(), running() as url:
            yield url
    finally:
        logger.setLevel(level)
