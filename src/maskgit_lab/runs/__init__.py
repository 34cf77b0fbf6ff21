"""The files of runs and sweeps."""
