"""The local stack: the whole product on one machine, without Docker and without an AWS account.

An AWS emulator runs what template.yaml describes, a proxy stands in front of it, and an emulated Atlassian
site takes the place of Jira. Nothing here is deployed.
"""
