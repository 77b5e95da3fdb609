"""The apps that the emulated Atlassian knows: fixed secrets of a site that exists on loopback only."""

from __future__ import annotations

CLIENT_ID = "local-client-id"
CLIENT_SECRET = "local-client-secret"  # noqa: S105

SERVICE_CLIENT_ID = "local-service-client"
SERVICE_CLIENT_SECRET = "local-service-secret"  # noqa: S105
