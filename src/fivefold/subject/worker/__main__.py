"""``python -m fivefold.subject.worker FD``: the fork server, talking over the inherited socket FD."""

from __future__ import annotations

import socket
import sys

from fivefold.subject.worker.server import serve

if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
