"""Make the table of a sweep from what its jobs have left so far.

python -m maskgit_lab.collect runs/sweeps/default/2026-01-31_12-00-00
"""

from maskgit_lab.commands import collect


def main() -> None:
    """Write table.md, table.csv and sweep.png, and print the table."""
    collect.collect(__doc__)


if __name__ == "__main__":
    main()
