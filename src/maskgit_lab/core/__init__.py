"""Masking, schedules, decoding and losses: only torch, no global random state."""
