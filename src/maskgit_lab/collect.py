"""Make the table of a sweep from what its jobs have left so far.

python -m maskgit_lab.collect runs/sweeps/default/2026-01-31_12-00-00
"""

import argparse
import sys
from pathlib import Path


def main() -> None:
    """Write table.md, table.csv and sweep.png, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m maskgit_lab.collect", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sweep", type=Path, help="folder of the sweep, with its numbered run folders")
    parser.add_argument("--out", type=Path, help="where the files go (default: the sweep's folder)")
    arguments = parser.parse_args()

    from maskgit_lab.collect_sweep import collect_sweep

    try:
        print(collect_sweep(arguments.sweep, arguments.out).text)
    except FileNotFoundError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
