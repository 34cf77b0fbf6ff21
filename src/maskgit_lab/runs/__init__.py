"""The files that runs and sweeps leave."""
