"""How a stage lets another process run it that has everything imported; see `stages.warm`. Standard library alone."""

import json
import os
import socket
import sys
from pathlib import Path

SOCKET = "TRAINABILITY_WARM"
"""Environment variable: where the process listens that has everything imported."""
PREFIX = "stages."


def hand_over() -> None:
    """Let the waiting process run this stage, where there is one, and end as the stage does."""
    address, command = os.environ.get(SOCKET), sys.orig_argv
    if not address or command[1:2] != ["-m"] or not command[2].startswith(PREFIX):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        try:
            connection.connect(address)
        except OSError:  # not ready yet, or gone
            return
        said = {"module": command[2], "words": command[3:], "cwd": str(Path.cwd()), "env": dict(os.environ)}
        socket.send_fds(connection, [json.dumps(said).encode()], [0, 1, 2])
        try:
            code = connection.recv(16)
        except KeyboardInterrupt:  # the stage hears it too, and says what is kept
            code = connection.recv(16)
    os._exit(int(code) if code else 1)
