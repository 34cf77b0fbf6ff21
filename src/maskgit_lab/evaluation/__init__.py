"""Rulers and what they measure: feature extractors, metrics, baselines, the grid, the test set."""
