"""Jobticket: production jobs, Jira connections and anomaly tickets, kept in step with Jira."""
