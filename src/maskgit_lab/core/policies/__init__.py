"""Decoding policies: which tokens a step reveals, and how they are chosen; one small class each, behind `core.decoding.decode`."""
