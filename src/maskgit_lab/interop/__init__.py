"""Loading checkpoints that other code wrote."""
