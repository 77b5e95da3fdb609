"""Bounded and guarded HTTP calls. Knows nothing of Jira."""
