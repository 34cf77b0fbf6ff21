"""Harm done on purpose: killed processes, full disks, flipped bits, hostile and broken files, races, numbers that are none.

python -m tests.faults [KIND ...] [--quick] [--seconds N] [--seed S] [--only NAME] [--times N]

`make faults` does all of it. What survives is promised in docs/reliability.md; a small part runs with the tests (test_quick.py).
"""
