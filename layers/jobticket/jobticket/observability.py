"""The one logger and the one metrics collector of a function."""

from __future__ import annotations

import logging
import warnings

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit, single_metric

__all__ = ["MetricUnit", "count", "logger", "metrics"]

# Service and namespace come from POWERTOOLS_SERVICE_NAME and POWERTOOLS_METRICS_NAMESPACE.
logger = Logger()
metrics = Metrics()

# With the log level DEBUG, Lambda's runtime has every library speak. These would write down what AWS answers,
# secrets and data keys among it, and the addresses that are called.
for library in ("boto3", "botocore", "urllib3"):
    logging.getLogger(library).setLevel(logging.INFO)

# A call that has nothing to count is none to warn of.
warnings.filterwarnings("ignore", "No application metrics to publish")


def count(name: str, value: float = 1) -> None:
    """Write one metric at once: for what happens deep inside, whatever becomes of the invocation."""
    with single_metric(name=name, unit=MetricUnit.Count, value=value):
        pass
