"""Whether another process of this machine still runs."""

import os
import sys

CAN_ASK = sys.platform != "win32"


def process_alive(number: int) -> bool:
    """Return whether a process of this number runs; on Windows every one is believed to.

    There signal 0, which asks elsewhere, is Ctrl-C and would end what was asked about.
    """
    if not CAN_ASK:
        return True
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True
