"""The one logger and the one metrics collector of a function."""

from __future__ import annotations

import logging
import os
import warnings

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit, single_metric

# Service and namespace come from POWERTOOLS_SERVICE_NAME and POWERTOOLS_METRICS_NAMESPACE.
# Lambda reads a line's level only beside a time in RFC 3339, which is not Powertools' default.
logger = Logger(use_rfc3339=True, utc=True)
metrics = Metrics()

# Powertools prefers the level of Lambda's own filter, but that one must let metrics through.
if level := os.environ.get("POWERTOOLS_LOG_LEVEL"):
    logging.getLogger(logger.name).setLevel(level)

#: The dimension of metrics that count for the whole product: one alarm covers all functions.
PRODUCT = "jobticket"

# With the level DEBUG every library logs. These would log the answers of AWS, with secrets and data keys.
for library in ("boto3", "botocore", "urllib3"):
    logging.getLogger(library).setLevel(logging.INFO)

# Metrics without values need no warning.
warnings.filterwarnings("ignore", "No application metrics to publish")


def count(name: str, value: float = 1) -> None:
    """Write one metric of the whole product immediately, from anywhere in any function."""
    dimensions = {"service": PRODUCT}
    with single_metric(
        name=name, unit=MetricUnit.Count, value=value, default_dimensions=dimensions
    ) as metric:
        metric.add_metadata("function", logger.service)  # in the log only, not a dimension
