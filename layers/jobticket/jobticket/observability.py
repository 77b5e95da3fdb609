"""The one logger and the one metrics collector of a function."""

from __future__ import annotations

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit, single_metric

__all__ = ["MetricUnit", "count", "logger", "metrics"]

# Service and namespace come from POWERTOOLS_SERVICE_NAME and POWERTOOLS_METRICS_NAMESPACE.
logger = Logger()
metrics = Metrics()


def count(name: str, value: float = 1) -> None:
    """Write one metric at once: for what happens deep inside, whatever becomes of the invocation."""
    with single_metric(name=name, unit=MetricUnit.Count, value=value):
        pass
