"""What makes parts of the documentation: run from the top of a checkout with `python -m tools.NAME`."""
