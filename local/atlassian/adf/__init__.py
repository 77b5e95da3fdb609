"""Atlassian Document Format: what Jira Cloud stores as rich text, and wiki markup made of it and back.

REST v2 of a Cloud site speaks wiki markup, but keeps documents. Both directions lose something, and what they
lose is what these modules are about: they do as Atlassian's own converter does, faults included.
"""
