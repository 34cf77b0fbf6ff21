"""What commands find as `sys.executable` where a test asks for it: `python -m MODULE ARGUMENTS` without the wait for imports.

The warm process forks itself for it (`tests.support.warm`), with this process's arguments, folder, environment and open files;
signals and the exit status go through. Launchers of Hydra and Lightning start their processes so. Python itself does anything else.
"""

import json
import os
import signal
import socket
import sys

TIMEOUT = 240  # seconds
TEST_PROCESS = "/test_process"  # the name under which it is one of pytest-xdist's, which may take as long as all tests
NOT_PASSED_ON = ("JPY_PARENT_PID",)  # a kernel ends when its parent is another than who started this process
COLD = ("submitit.local._local",)  # imports little, and its process number is the job's name


def open_files() -> list[int]:
    """Return the numbers of the files that were open when this process began."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            os.fstat(int(name))
        except OSError:  # that of the listing itself
            continue
        found.append(int(name))
    return found


def main() -> None:
    arguments = sys.argv[1:]
    if arguments[:1] == ["-u"]:
        arguments = arguments[1:]
    if sys.argv[0].endswith(TEST_PROCESS) and arguments[:1] == ["-c"]:
        what: dict[str, object] = {"code": arguments[1], "arguments": [], "timeout": 0}
    elif arguments[:1] == ["-m"] and arguments[1] not in COLD:
        what = {"module": arguments[1], "arguments": arguments[2:], "timeout": TIMEOUT}
    else:
        os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
    files = open_files()
    request = {
        **what, "cwd": os.getcwd(),
        "env": {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON}, "files": files,
    }  # fmt: skip
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(os.environ["WARM_PROCESS_SOCKET"])
    socket.send_fds(connection, [b"\n"], files)
    connection.sendall(json.dumps(request).encode() + b"\n")
    lines = connection.makefile()
    pid = int(lines.readline())
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda number, _: os.kill(pid, number))
    for number in files:  # or whoever waits for their end would wait for this process too
        os.close(number)
    status = int(lines.readline())
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


main()
