"""What the product writes into Jira: small documents, as ADF for Cloud and wiki markup for Data Center."""
