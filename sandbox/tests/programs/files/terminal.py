"""Drives a program on a terminal of its own, as a user at a shell would.

Usage: terminal.py [LAUNCHER ARGUMENTS...]. Every wait is for a line that must come, with a limit of time.
"""

import fcntl
import os
import pty
import select
import shlex
import signal
import struct
import sys
import termios
import time

LAUNCHER = " ".join(map(shlex.quote, sys.argv[1:]))
PATIENCE = 20

CHILD = r'''
import os, signal
count = 0
def say(*words):
    # Not print: a signal's handler may come in the midst of another's.
    os.write(1, " ".join(map(str, words)).encode() + b"\n")
def interrupted(*_):
    global count
    count += 1
    say("interrupted", count)
def resized(*_):
    say("size", *os.get_terminal_size(0))
def ended(*_):
    say("ended after", count)
    os._exit(5)
signal.signal(signal.SIGINT, interrupted)
signal.signal(signal.SIGWINCH, resized)
signal.signal(signal.SIGCONT, lambda *_: say("continued"))
signal.signal(signal.SIGQUIT, ended)
say("foreground", os.tcgetpgrp(0) == os.getpgrp(), os.isatty(0), os.isatty(1))
while True:
    signal.pause()
'''


class Terminal:
    def __init__(self, arguments):
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execvp(arguments[0], arguments)
        self.seen = ""

    def until(self, wanted):
        """Reads until this was written."""
        end = time.monotonic() + PATIENCE
        while wanted not in self.seen:
            ready, _, _ = select.select([self.master], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise SystemExit(f"{wanted!r} did not come; there was {self.seen!r}")
            try:
                self.seen += os.read(self.master, 4096).decode(errors="replace")
            except OSError:
                raise SystemExit(f"the terminal closed before {wanted!r}: {self.seen!r}")
        _, self.seen = self.seen.split(wanted, 1)

    def type(self, text):
        os.write(self.master, text.encode())

    def start(self, line):
        """Types a line to a shell, and waits until that has put a job into the foreground."""
        before = os.tcgetpgrp(self.master)
        self.type(line)
        end = time.monotonic() + PATIENCE
        while os.tcgetpgrp(self.master) == before:
            assert time.monotonic() < end, "no job came into the foreground"
            time.sleep(0.002)

    def size(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


with open("child.py", "w") as file:
    file.write(CHILD)

shell = Terminal(["bash", "--norc", "--noprofile", "-i"])
shell.size(24, 80)
shell.type("stty -echo; bind 'set enable-bracketed-paste off'; PS1='REA''DY> '\n")
shell.until("READY> ")

# Lines go in and out, and the exit code is the command's.
shell.type(f"{LAUNCHER} sh -c 'read line; echo \"got $line\"; exit 9'\n")
shell.type("typed\n")
shell.until("got typed")
shell.until("READY> ")
shell.type("echo code $?.\n")
shell.until("code 9.")
shell.until("READY> ")

shell.type(f"{LAUNCHER} python3 child.py\n")
shell.until("foreground True True True")
# The terminal tells the program itself: one Ctrl-C is one signal, not two.
shell.type("\x03")
shell.until("interrupted 1")
shell.type("\x03")
shell.until("interrupted 2")
shell.size(33, 99)
shell.until("size 99 33")
# Ctrl-Z gives the terminal back to the shell, and fg takes it again.
shell.type("\x1a")
shell.until("Stopped")
shell.until("READY> ")
shell.type("jobs\n")
shell.until("Stopped")
shell.until("READY> ")
shell.type("fg\n")
shell.until("continued")
shell.type("\x03")
shell.until("interrupted 3")
shell.type("\x1a")
shell.until("Stopped")
shell.until("READY> ")
shell.type("bg\n")
shell.until("continued")
shell.start("fg\n")
shell.type("\x1c")
shell.until("ended after 3")
shell.until("READY> ")
shell.type("echo code $?.\n")
shell.until("code 5.")
shell.until("READY> ")

# What does not handle Ctrl-C is ended by it, with all that it started. The word comes from the program that
# is then waited for: a shell that is just about to start one would swallow the signal.
shell.type(f"{LAUNCHER} sh -c 'sh -c \"echo started; exec sleep 600\"; echo not reached'\n")
shell.until("started")
shell.type("\x03")
shell.until("READY> ")
shell.type("echo code $?.\n")
shell.until("code 130.")
shell.until("READY> ")

# A shell inside has jobs of its own.
shell.type(f"{LAUNCHER} bash --norc --noprofile -i\n")
shell.type("PS1='INS''IDE> '\n")
shell.until("INSIDE> ")
shell.type("sh -c 'echo u''p; exec sleep 600'\n")
shell.until("up\r\n")
shell.type("\x1a")
shell.until("Stopped")
shell.until("INSIDE> ")
shell.type("bg\n")
shell.until("INSIDE> ")
shell.type("kill %1; wait %1; echo code $?.\n")
shell.until("code 143.")
shell.until("INSIDE> ")
shell.type("exit 4\n")
shell.until("READY> ")
shell.type("echo code $?.\n")
shell.until("code 4.")
shell.until("READY> ")

# The terminal is as it was.
flags = termios.tcgetattr(shell.master)[3]
assert flags & termios.ICANON or flags & termios.ISIG
shell.type("exit 0\n")
_, status = os.waitpid(shell.pid, 0)
assert os.waitstatus_to_exitcode(status) == 0
print("all passed")
