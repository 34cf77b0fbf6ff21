"""The same numbers, sooner: what `accelerate` puts in the place of networks and predictors as they are written."""
