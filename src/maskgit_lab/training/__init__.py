"""Lightning modules, optimisers, callbacks, loggers, and what of the machine they use: devices, precision, compilation."""
