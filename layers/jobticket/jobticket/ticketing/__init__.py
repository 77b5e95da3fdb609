"""Anomalies, the Jira tickets they are linked to, and what is sent from the one to the other.

Nothing is ever read back from a ticket into an anomaly. An anomaly's change and the events that will tell its
tickets of it commit in one transaction; a worker delivers the events, in order, once each.
"""
