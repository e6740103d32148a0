"""Signals at any moment of a run that writes: it ends by them, and what it wrote is whole or not there."""

import os
import signal
import subprocess
import time

from common import Finding, binary, hidden, loop

SIGNALS = [
    signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGALRM, signal.SIGXCPU, signal.SIGPIPE, signal.SIGUSR1,
    signal.SIGUSR2, signal.SIGVTALRM, signal.SIGPROF, signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL,
    signal.SIGKILL,
]


def attack(random, folder):
    rows = random.choice([64, 4096, 65536])
    command = [
        binary(), "quantize", "--scheme", "q8_0", "--rows", str(rows), "--length", "64", "--output", "o.npy", "--raw", "o",
        "--threads", str(random.randint(1, 4))]
    if random.random() < 0.5:
        (folder / "o.npy").write_bytes(b"old")
        (folder / "o").write_bytes(b"old")
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    number = random.choice(SIGNALS)
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=dict(os.environ, SWIFT_BACKTRACE="enable=no"))
    time.sleep(random.random() ** 2 * rows / 65536 * 2 + random.random() * 0.05)
    for _ in range(random.randint(1, 3)):
        process.send_signal(number)
    try:
        status = process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        raise Finding(f"{number.name}: does not end")
    what = f"{number.name}, {rows} rows, status {status}"
    # What comes before main has set its handlers ends it as any process; SIGBUS from a kill is no cut file.
    if status not in (0, -number):
        raise Finding(what)
    after = {p.name: p.read_bytes() for p in folder.iterdir()}
    if hidden(folder):
        raise Finding(f"{what}: left {hidden(folder)}")
    sizes = {"o.npy": 128 + rows * 256, "o": rows * 68}
    for name, size in sizes.items():
        whole = name in after and len(after[name]) == size
        if not whole and after.get(name) != before.get(name):
            raise Finding(f"{what}: {name} is half")
        if status == 0 and not whole:
            raise Finding(f"{what}: {name} is missing")


loop("kills", attack)
