"""A world for the real workers of pushes: time that only passes in waits, a table and a Jira in memory."""
