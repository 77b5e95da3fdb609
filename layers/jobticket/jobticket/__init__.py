"""Jobticket: production jobs, Jira connections and anomaly tickets, kept in step with Jira."""

import gc

# A start makes some 300,000 objects that all stay. With the usual thresholds the collector walks through them
# hundreds of times on the way; a function's calls leave little behind, so it need not look often later.
gc.set_threshold(50_000, 20, 50)
