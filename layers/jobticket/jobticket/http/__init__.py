"""HTTP calls to anybody: which addresses, by when, how much. Knows nothing of Jira."""
