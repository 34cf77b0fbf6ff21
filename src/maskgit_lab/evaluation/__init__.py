"""Feature extractors, metrics, reference fills and figures."""
