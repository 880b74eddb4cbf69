"""Processes and threads: subprocess, multiprocessing with its queues, pools, locks and shared memory."""

import concurrent.futures
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from multiprocessing import shared_memory


def square(number):
    return number * number


def put(queue, lock, shared):
    with lock:
        block = shared_memory.SharedMemory(name=shared)
        block.buf[0] += 1
        block.close()
    queue.put(os.getpid())


def main():
    done = subprocess.run(["cat"], input=b"x" * 300_000, capture_output=True, check=True)
    assert len(done.stdout) == 300_000
    done = subprocess.run("echo $((6 * 7)); exit 3", shell=True, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, "42\n"), done
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait() == -signal.SIGTERM
    try:
        subprocess.run([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, timeout=0.2)
    except subprocess.CalledProcessError:
        raise
    except subprocess.TimeoutExpired:
        pass

    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        with context.Pool(2) as pool:
            assert pool.map(square, range(20)) == [n * n for n in range(20)]
        queue, lock = context.Queue(), context.Lock()
        block = shared_memory.SharedMemory(create=True, size=4096)
        block.buf[0] = 0
        workers = [context.Process(target=put, args=(queue, lock, block.name)) for _ in range(3)]
        for worker in workers:
            worker.start()
        pids = {queue.get(timeout=20) for _ in workers}
        for worker in workers:
            worker.join()
            assert worker.exitcode == 0
        assert pids == {worker.pid for worker in workers}
        assert block.buf[0] == 3
        block.close()
        block.unlink()

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(square, range(100))) == 328350
    with concurrent.futures.ProcessPoolExecutor(2) as executor:
        assert list(executor.map(square, range(5))) == [0, 1, 4, 9, 16]
    local = threading.local()
    event = threading.Event()
    thread = threading.Thread(target=lambda: (setattr(local, "here", 1), event.set()))
    thread.start()
    assert event.wait(20) and not hasattr(local, "here")
    thread.join()
    print("all passed")


if __name__ == "__main__":
    main()
