"""Jobticket: production jobs, Jira connections and anomaly tickets, kept in step with Jira."""

import gc

# A start makes some 70,000 objects that all stay: with the usual thresholds the collector looks a hundred
# times on the way, and finds nothing. A function's calls leave little behind: it need not look often later.
gc.set_threshold(100_000, 20, 50)
