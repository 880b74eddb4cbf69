"""Runs a command in a network of its own, out of which nothing leads but the doors it is given.

    unshare ... python3 alone.py PORT=SOCKET [PORT=SOCKET ...] -- COMMAND [ARGUMENT ...]

A door is a port on loopback in here, and a Unix socket behind which somebody outside listens: file
systems are shared where networks are not. A client that goes around its proxy finds no way.
"""

import fcntl
import socket
import struct
import subprocess
import sys
import threading

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1


def raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh", b"lo", 0)
        flags = struct.unpack("16sh", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", flags | IFF_UP))


def carry(source: socket.socket, target: socket.socket) -> None:
    """Passes bytes on until there are no more, and says so."""
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def serve(port: int, path: str) -> None:
    listener = socket.create_server(("127.0.0.1", port), backlog=128)

    def accept() -> None:
        while True:
            inner, _ = listener.accept()
            inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            outer = socket.socket(socket.AF_UNIX)
            try:
                outer.connect(path)
            except OSError:
                inner.close()
                continue
            for pair in ((inner, outer), (outer, inner)):
                threading.Thread(target=carry, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


border = sys.argv.index("--")
raise_loopback()
for door in sys.argv[1:border]:
    port, _, path = door.partition("=")
    serve(int(port), path)
sys.exit(subprocess.run(sys.argv[border + 1 :]).returncode)
