"""An emulated Jira Cloud, Jira Data Center and Atlassian sign-in, for the local stack and for tests.

It holds its sites in memory, answers the routes that the product uses with Jira's own shapes, errors and
limits, and lets a person look at the tickets in a browser. Nothing here is used by what runs on AWS.
"""
