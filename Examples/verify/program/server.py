"""The kernels of kernel.py in a process that stays, for kernels that take long to load; `ask` hands it one call at a time.

    python3 server.py SOCKET &
    numcheck verify softmax --exec './ask SOCKET softmax {results} {input}'
"""
import os
import socket
import sys
import traceback

import kernel


def answer(connection):
    """Runs one call: zero-terminated arguments in, a byte of status and what was said out."""
    received = b""
    while part := connection.recv(1 << 16):
        received += part
    try:
        kernel.main([a.decode() for a in received.split(b"\0")[:-1]])
        connection.sendall(b"\0")
    except (Exception, SystemExit):
        # A call that fails is told to whoever called; the next one may be right.
        connection.sendall(b"\1" + traceback.format_exc().encode())


def main():
    path = sys.argv[1]
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        os.chmod(path, 0o600)
        listening.listen()
        print("ready", flush=True)
        while True:
            connection = listening.accept()[0]
            with connection:
                answer(connection)


if __name__ == "__main__":
    main()
