"""An event loop: subprocesses, streams over a socket pair, a server and its client where there may be one."""

import asyncio
import socket
import sys

LISTEN = sys.argv[1] == "listen"


async def subprocesses():
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "print(input()[::-1])", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(b"abc\n"), 20)
    assert (process.returncode, out) == (0, b"cba\n"), (process.returncode, out)
    shells = [await asyncio.create_subprocess_shell(f"exit {code}") for code in range(8)]
    assert [await shell.wait() for shell in shells] == list(range(8))
    endless = await asyncio.create_subprocess_exec("sleep", "600")
    endless.kill()
    assert await endless.wait() == -9


async def pair():
    left, right = socket.socketpair()
    reader, _ = await asyncio.open_connection(sock=left)
    _, writer = await asyncio.open_connection(sock=right)
    writer.write(b"over a pair\n")
    assert await reader.readline() == b"over a pair\n"
    writer.close()
    assert await reader.read() == b""


async def serve():
    async def answer(reader, writer):
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()

    try:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
    except PermissionError:
        assert not LISTEN, "listening was refused"
        return
    assert LISTEN, "listening was not refused"
    port = server.sockets[0].getsockname()[1]
    for _ in range(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello\n")
        assert await reader.readline() == b"HELLO\n"
        writer.close()
    server.close()


async def main():
    await asyncio.gather(subprocesses(), pair(), serve(), asyncio.to_thread(sum, range(1000)))
    print("all passed")


asyncio.run(main())
