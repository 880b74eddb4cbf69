"""Files: temporary ones, sqlite with its journal and locks, mmap, links, renames, locks, many at once."""

import ctypes
import fcntl
import locale
import mmap
import os
import pathlib
import pwd
import random
import shutil
import sqlite3
import stat
import tempfile
import time
import zoneinfo

here = pathlib.Path.cwd()

with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile(dir=folder) as file:
    file.write(b"temporary")
    file.flush()
    assert pathlib.Path(file.name).read_bytes() == b"temporary"
with tempfile.TemporaryFile() as file:
    file.write(b"unnamed")

base = sqlite3.connect("data.db")
base.execute("pragma journal_mode = wal")
base.execute("create table numbers (number integer)")
with base:
    base.executemany("insert into numbers values (?)", [(n,) for n in range(1000)])
assert sqlite3.connect("data.db").execute("select sum(number) from numbers").fetchone() == (499500,)
base.close()

with open("mapped", "w+b") as file:
    file.truncate(1 << 20)
    with mmap.mmap(file.fileno(), 0) as mapped:
        mapped[5:10] = b"hello"
        mapped.flush()
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert os.pread(file.fileno(), 5, 5) == b"hello"

os.makedirs("deep/er/still")
pathlib.Path("deep/er/still/file").write_text("x")
os.rename("deep/er/still/file", "deep/moved")
os.symlink("moved", "deep/link")
os.link("deep/moved", "hard")
assert (here / "deep/link").read_text() == "x"
os.chmod("hard", 0o700)
assert stat.S_IMODE(os.stat("deep/moved").st_mode) == 0o700
os.utime("hard", (1, 1))
assert os.stat("hard").st_mtime == 1
shutil.copytree("deep", "copied", symlinks=True)
shutil.rmtree("deep")
assert sorted(os.listdir("copied")) == ["er", "link", "moved"]
handles = [open(f"many{n}", "w") for n in range(200)]
for handle in handles:
    handle.close()
    os.remove(handle.name)

# What programs ask of a machine by the way.
assert os.cpu_count() >= 1 and len(os.sched_getaffinity(0)) >= 1
assert os.getloadavg() and os.uname().sysname == "Linux"
assert pathlib.Path("/proc/self/status").read_text().startswith("Name:")
assert pathlib.Path("/etc/passwd").exists() and pwd.getpwuid(0).pw_name == "root"
assert len(pathlib.Path("/dev/urandom").open("rb").read(16)) == 16
pathlib.Path("/dev/null").write_text("gone")
assert pathlib.Path("/dev/zero").open("rb").read(4) == b"\0" * 4
with open("/dev/shm/here", "w") as file:
    file.write("x")
os.remove("/dev/shm/here")
assert ctypes.CDLL(None).getpid() == os.getpid()
os.nice(1)
os.sched_yield()
assert random.SystemRandom().random() < 1
locale.setlocale(locale.LC_ALL, "")
time.localtime()
assert os.fork() or os._exit(0) is None
assert os.wait()[1] == 0
print("all passed")
