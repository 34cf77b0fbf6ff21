"""Image sets, holes, caches, duplicates and the data module."""
