"""One loop, one module per objective."""
