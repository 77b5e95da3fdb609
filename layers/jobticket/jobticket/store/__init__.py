"""What the product keeps: items of a table, writes that commit together, and leases."""
