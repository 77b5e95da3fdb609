"""What the product's speed is measured with. Each module has a ``run``; none asserts anything about time."""
