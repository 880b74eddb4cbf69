"""Drives `iron run` on a terminal of its own, as a user at a shell would: foreground, Ctrl-C, Ctrl-Z, fg.

Usage: terminal.py IRON. Every wait is for a line that must come, with a limit of time.
"""

import os
import pty
import select
import signal
import sys
import time

IRON = sys.argv[1]
PATIENCE = 30

CHILD = r'''
import os, signal, sys, time
count = 0
def interrupted(*_):
    global count
    count += 1
    print("interrupted", count, flush=True)
signal.signal(signal.SIGINT, interrupted)
signal.signal(signal.SIGCONT, lambda *_: print("continued", flush=True))
signal.signal(signal.SIGTERM, lambda *_: (print("ended after", count, flush=True), os._exit(5)))
print("pid", os.getpid(), "", flush=True)
print("foreground", os.tcgetpgrp(0) == os.getpgrp(), os.isatty(1), flush=True)
while True:
    time.sleep(0.02)
'''


class Terminal:
    def __init__(self, arguments):
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execvp(arguments[0], arguments)
        self.seen = ""
        self.passed = ""

    def until(self, wanted):
        """Reads until this was written; what came before it is `passed`."""
        end = time.monotonic() + PATIENCE
        while wanted not in self.seen:
            ready, _, _ = select.select([self.master], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise SystemExit(f"{wanted!r} did not come; there was {self.seen!r}")
            try:
                self.seen += os.read(self.master, 4096).decode(errors="replace")
            except OSError:
                raise SystemExit(f"the terminal closed before {wanted!r}: {self.seen!r}")
        self.passed, self.seen = self.seen.split(wanted, 1)

    def type(self, text):
        os.write(self.master, text.encode())


with open("child.py", "w") as file:
    file.write(CHILD)

shell = Terminal(["bash", "--norc", "-i"])
shell.type("PS1='READY'\"> \"\n")
shell.until("READY> ")
shell.type(f"'{IRON}' run --base-url-only -- python3 child.py\n")
shell.until("pid ")
shell.until("foreground True True")
child = int(shell.passed.split()[0])
# The terminal tells the program itself: one Ctrl-C is one signal, not two.
shell.type("\x03")
shell.until("interrupted 1")
shell.type("\x03")
shell.until("interrupted 2")
# Ctrl-Z gives the terminal back to the shell, and fg takes it again.
shell.type("\x1a")
shell.until("Stopped")
shell.until("READY> ")
shell.type("fg\n")
# The shell has given the terminal away before it wakes the program, and not before it says so.
shell.until("continued")
shell.type("\x03")
shell.until("interrupted 3")
# A program that stops itself, as one does that has Ctrl-Z in its own hands, stops us as well.
os.kill(child, signal.SIGSTOP)
shell.until("Stopped")
shell.until("READY> ")
shell.type("fg\n")
shell.until("continued")
os.kill(child, signal.SIGTERM)
shell.until("ended after 3")
shell.until("exit 5")
shell.until("READY> ")
shell.type("echo code $?\n")
shell.until("code 5")
print("all steps passed")
