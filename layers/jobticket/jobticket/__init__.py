"""Jobticket: production jobs, Jira connections and anomaly tickets, kept in step with Jira."""

import gc

# A start makes some 70,000 objects, and all of them stay. With the default thresholds the collector runs a
# hundred times meanwhile and finds nothing. Calls leave little garbage, so it can run rarely later too.
gc.set_threshold(100_000, 20, 50)
