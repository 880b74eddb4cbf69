"""TLS: the system's certificates, a handshake over a socket pair with threads, and one over memory.

The ciphers need no certificate, so that no key has to lie in a repository.
"""

import socket
import ssl
import threading

assert ssl.create_default_context().verify_mode == ssl.CERT_REQUIRED
assert len(ssl.RAND_bytes(32)) == 32


def context(side):
    made = ssl.SSLContext(side)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.maximum_version = ssl.TLSVersion.TLSv1_2
    made.set_ciphers("AECDH-AES256-SHA:@SECLEVEL=0")
    return made


client, server = context(ssl.PROTOCOL_TLS_CLIENT), context(ssl.PROTOCOL_TLS_SERVER)

left, right = socket.socketpair()


def serve():
    with server.wrap_socket(right, server_side=True) as wrapped:
        wrapped.sendall(wrapped.recv(100)[::-1])


thread = threading.Thread(target=serve)
thread.start()
with client.wrap_socket(left) as wrapped:
    wrapped.sendall(b"stressed")
    assert wrapped.recv(100) == b"desserts"
    assert wrapped.version() == "TLSv1.2"
thread.join()

to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
one = client.wrap_bio(to_client, to_server)
two = server.wrap_bio(to_server, to_client, server_side=True)
pending = [one, two]
for _ in range(10):
    for side in list(pending):
        try:
            side.do_handshake()
            pending.remove(side)
        except ssl.SSLWantReadError:
            pass
assert not pending
one.write(b"memory")
assert two.read() == b"memory"
print("all passed")
