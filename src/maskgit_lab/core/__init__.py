"""Masking, schedules, decoding and losses: torch alone, no global random state."""
