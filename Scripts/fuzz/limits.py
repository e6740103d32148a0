"""Too little memory, too few descriptors, no threads, full disks, closed streams: an answer, or one line and status 2."""

import os
import resource
import subprocess

from common import Finding, binary, hidden, loop

COMMANDS = [
    "softmax --rows 40 --length {n}", "softmax --rows 4 --length {n} --algorithm shifted --output o.npy", "lse --rows 2 --length {n}",
    "softmax-jacobian --rows 2 --length 200", "reference softmax --rows 4 --length {n} --output o.npy",
    "quantize --rows 40 --length {n} --scheme q8_0 --output o.npy --raw o", "quantize --rows 8 --length {n}",
    "attention --tokens 200 --head-size 16 --algorithm flash", "dialect mxfp4 mxfp4:ggml --rows 40 --length {n}",
    "softmax --rows 8 --length 16 --dtype f16 --range 1000 --no-nan", "list formats", "--help", "nonsense",
]
ENDS = ["", "2>&-", ">&-", "<&-", ">&- 2>&-", "2>/dev/full", ">/dev/full", ">/dev/full 2>/dev/full", "<&- >&- 2>&-"]


def attack(random, folder):
    n = random.choice([32, 4096, 1 << 18, 1 << 22, 1 << 26])
    command = random.choice(COMMANDS).format(n=n) + random.choice(["", " --threads 1024"]) * (random.random() < 0.5)
    limits = []
    if random.random() < 0.6:
        limits.append((resource.RLIMIT_AS, random.choice([400, 600, 1000, 2000, 4000]) << 20))
    if random.random() < 0.3:
        limits.append((resource.RLIMIT_NOFILE, random.randint(3, 8)))
    if random.random() < 0.2:
        limits.append((resource.RLIMIT_FSIZE, random.choice([0, 100, 5000, 1 << 20])))
    if random.random() < 0.2:
        limits.append((resource.RLIMIT_CORE, 0))
    end = random.choice(ENDS)

    def prepare():
        for name, value in limits:
            resource.setrlimit(name, (value, value))

    # The limits are on the command, not on the shell that starts it.
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", f'exec "$0" {command} {end}', binary()], cwd=folder, stdin=subprocess.DEVNULL,
            capture_output=True, timeout=200, preexec_fn=prepare, env=dict(os.environ, SWIFT_BACKTRACE="enable=no"))
    except subprocess.TimeoutExpired:
        raise Finding(f"no end: {command} {end} {limits}")
    what = f"{command} {end} {limits}: status {done.returncode}, {done.stderr[-300:]!r}"
    if b"error while loading shared libraries" in done.stderr:
        return
    if done.returncode not in (0, 1, 2):
        raise Finding(what)
    if done.returncode == 2 and done.stderr and done.stderr.count(b"\n") != 1:
        raise Finding(what)
    if hidden(folder) or done.returncode == 2 and list(folder.iterdir()):
        raise Finding(f"{what}: left {list(folder.iterdir())}")


loop("limits", attack)
