"""The environment that functions find in unit tests.

Imported before anything of the product: some of it is read when the product is imported.
"""

from __future__ import annotations

import os

os.environ |= {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "POWERTOOLS_METRICS_NAMESPACE": "Jobticket",
    "POWERTOOLS_SERVICE_NAME": "test",
    "POWERTOOLS_METRICS_DISABLED": "true",
    "JOBS_TABLE": "jobs",
    "CONNECTIONS_TABLE": "connections",
    "TICKETING_TABLE": "ticketing",
    "HISTORY_TABLE": "history",
    "EVENT_BUS": "jobticket-events",
    "HISTORY_RETENTION_DAYS": "730",
    "TICKET_EVENTS_QUEUE": "https://sqs.eu-west-1.amazonaws.com/123456789012/ticket-events.fifo",
    "PUSH_QUEUE": "https://sqs.eu-west-1.amazonaws.com/123456789012/pushes",
    "TICKET_EVENTS_DEAD_LETTERS": "https://sqs.eu-west-1.amazonaws.com/123456789012/ticket-events-dead-letters.fifo",
    "PUSH_DEAD_LETTERS": "https://sqs.eu-west-1.amazonaws.com/123456789012/pushes-dead-letters",
    "FAILED_EVENTS_QUEUE": "https://sqs.eu-west-1.amazonaws.com/123456789012/failed-events",
    "EVENT_DEAD_LETTERS": "https://sqs.eu-west-1.amazonaws.com/123456789012/events-dead-letters",
    "PUSH_SITE_CONCURRENCY": "5",
    "PUSH_SCHEDULER_FUNCTION": "push-scheduler",
    "KEY_RING_SECRET": "key-ring",
    "ENCRYPTION_KEY": "alias/jobticket",
    "ATLASSIAN_APP_SECRET": "atlassian-app",
    "ATLASSIAN_SCOPES": "read:jira-work write:jira-work read:jira-user",
    "ENVIRONMENT": "local",
    "ALLOW_PRIVATE_HOSTS": "false",
    "PRIVATE_CA_SECRET": "private-ca",
    "PRIVATE_CA_HOSTS": "localhost:1",
    "PUBLIC_URL": "http://127.0.0.1:8000",
}
os.environ.pop("AWS_ENDPOINT_URL", None)
