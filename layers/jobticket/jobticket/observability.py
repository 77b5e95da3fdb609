"""The one logger and the one metrics collector of a function."""

from __future__ import annotations

import logging
import os
import warnings

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit, single_metric

# Service and namespace come from POWERTOOLS_SERVICE_NAME and POWERTOOLS_METRICS_NAMESPACE.
# Lambda reads a line's level only beside a time in this format; Powertools' default is another one.
logger = Logger(use_rfc3339=True, utc=True)
metrics = Metrics()

# Powertools would rather take the level of Lambda's own filter; that one must let metrics through.
if level := os.environ.get("POWERTOOLS_LOG_LEVEL"):
    logging.getLogger(logger.name).setLevel(level)

#: The dimension of what is counted for the product as a whole, so that one alarm sees all of it.
PRODUCT = "jobticket"

# With the log level DEBUG, Lambda's runtime has every library speak. These would write down what AWS answers,
# secrets and data keys among it, and the addresses that are called.
for library in ("boto3", "botocore", "urllib3"):
    logging.getLogger(library).setLevel(logging.INFO)

# A call that has nothing to count is none to warn of.
warnings.filterwarnings("ignore", "No application metrics to publish")


def count(name: str, value: float = 1) -> None:
    """Write one metric of the product at once: for what happens deep inside, in any function."""
    dimensions = {"service": PRODUCT}
    with single_metric(
        name=name, unit=MetricUnit.Count, value=value, default_dimensions=dimensions
    ) as metric:
        metric.add_metadata("function", logger.service)  # found in the log, where the metric has it not
