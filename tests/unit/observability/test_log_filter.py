"""What of a function's output passes Lambda's filter of log levels, and so reaches logs, metrics and alarms."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from local.template import load_template

ROOT = Path(__file__).parents[3]
TEMPLATE = load_template()
LEVELS = TEMPLATE["Parameters"]["LogLevel"]["AllowedValues"]
#: As Lambda orders and names them.
FILTER = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
OUTPUT = """
from jobticket.observability import MetricUnit, count, logger, metrics

@metrics.log_metrics
def handler(event, context):
    metrics.add_metric("OldestPush", MetricUnit.Seconds, 1)
    for level in ("debug", "info", "warning", "error"):
        getattr(logger, level)(level)

handler({}, None)
count("ConnectionDied")
"""


def passes(line: str, level: str) -> bool:
    """Judge a line as Lambda does ("Log-level filtering"): without a level that it knows, or a time in RFC 3339, it is INFO."""
    try:
        entry = json.loads(line)
        datetime.fromisoformat(entry["timestamp"])
        own = FILTER.index(str(entry["level"]).upper()) if "T" in entry["timestamp"] else 2
    except (ValueError, LookupError, TypeError):
        own = FILTER.index("INFO")
    return own >= FILTER.index(level)


def configured(level: str) -> str:
    """Return the level of Lambda's filter for a value of LogLevel."""
    name, debugging, otherwise = TEMPLATE["Globals"]["Function"]["LoggingConfig"]["ApplicationLogLevel"][
        "Fn::If"
    ]
    assert TEMPLATE["Conditions"][name] == {"Fn::Equals": [{"Ref": "LogLevel"}, "DEBUG"]}
    chosen: str = debugging if level == "DEBUG" else otherwise
    return chosen


@cache
def written(level: str) -> tuple[str, ...]:
    """Return what a function writes: a fresh interpreter with what Lambda gives it."""
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": str(ROOT / "layers" / "jobticket"),
        "POWERTOOLS_SERVICE_NAME": "push_scheduler",
        "POWERTOOLS_METRICS_NAMESPACE": "Jobticket/here",
        "POWERTOOLS_LOG_LEVEL": level,
        "AWS_LAMBDA_LOG_LEVEL": configured(level),
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_FUNCTION_NAME": "x",
    }
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", OUTPUT],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return tuple(ran.stdout.splitlines())


@pytest.mark.parametrize("level", LEVELS)
class TestEveryLevel:
    def test_metrics_survive(self, level: str) -> None:
        metrics = [entry for entry in map(json.loads, kept(level)) if "_aws" in entry]
        assert {metric["service"] for metric in metrics} == {"push_scheduler", "jobticket"}
        assert {"OldestPush", "ConnectionDied"} <= set().union(*metrics)

    def test_lambda_drops_nothing(self, level: str) -> None:
        assert kept(level) == list(written(level))

    def test_powertools_leaves_out_what_is_less(self, level: str) -> None:
        messages = [entry["message"] for entry in map(json.loads, written(level)) if "message" in entry]
        assert messages == ["debug", "info", "warning", "error"][LEVELS.index(level) :]


def kept(level: str) -> list[str]:
    return [line for line in written(level) if passes(line, configured(level))]


def test_what_concerns_the_product_has_one_dimension_and_says_where_it_was() -> None:
    (died,) = (entry for entry in map(json.loads, written("INFO")) if "ConnectionDied" in entry)
    (directive,) = died["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["service"]]
    assert (died["service"], died["function"]) == ("jobticket", "push_scheduler")


@pytest.mark.parametrize(
    ("entry", "level", "passing"),
    [
        ({"_aws": {}}, "INFO", True),
        ({"_aws": {}}, "WARN", False),
        ({"level": "ERROR", "timestamp": "2026-11-27 10:00:00,123+0000"}, "WARN", False),  # not RFC 3339
        ({"level": "ERROR", "timestamp": "2026-11-27T10:00:00.123+00:00"}, "WARN", True),
        ({"level": "DEBUG", "timestamp": "2026-11-27T10:00:00.123+00:00"}, "INFO", False),
        (
            {"level": "WARNING", "timestamp": "2026-11-27T10:00:00.123+00:00"},
            "WARN",
            False,
        ),  # not Lambda's word
    ],
)
def test_the_filter_itself(entry: dict[str, Any], level: str, passing: bool) -> None:
    assert passes(json.dumps(entry), level) is passing
