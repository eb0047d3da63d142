"""`python tests/keeper.py OWNER DIRECTORY USER COMMAND…`: a server that ends with the test run.

Runs the command until the process OWNER is gone, however it went; then stops it and removes its
directory. It imports nothing of the shop, so it is there at once.
"""

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
STOP_WITHIN = 10


def main(owner: str, directory: str, user: str, *command: str) -> None:
    try:
        watched = select.poll()
        watched.register(os.pidfd_open(int(owner)), select.POLLIN)
        server = subprocess.Popen(
            command,
            user=user or None,
            cwd=directory,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
        )
        watched.register(os.pidfd_open(server.pid), select.POLLIN)
        watched.poll()
        server.send_signal(signal.SIGINT)
        try:
            server.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            server.kill()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
