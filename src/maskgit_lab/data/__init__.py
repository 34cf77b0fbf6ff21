"""Image sets, hole masks, the token cache and the data module."""
