"""A local cluster of two workers, one of which is killed on the way: the report is that of one run.

    python test_numcheck_ray.py numcheck
"""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import ray

from numcheck_ray import merge, submit

COMMAND = ["softmax", "--dtype", "f16", "--rows", "90", "--length", "64", "--range", "30", "--format", "json"]


def at_work():
    """The processes of workers that are at a part: Ray names them after it."""
    found = []
    for process in pathlib.Path("/proc").iterdir():
        try:
            if process.name.isdigit() and (process / "cmdline").read_bytes().startswith(b"ray::part"):
                found.append(int(process.name))
        except OSError:
            pass  # it has ended meanwhile
    return sorted(found)


def slowed(program, folder):
    """The same program, a second late: long enough to be caught at work."""
    path = os.path.join(folder, "numcheck")
    with open(path, "w") as script:
        script.write(f"#!/bin/sh\nsleep 1\nexec '{program}' \"$@\"\n")
    os.chmod(path, 0o755)
    return path


def main(program):
    program = os.path.abspath(program)
    whole = subprocess.run([program, *COMMAND], capture_output=True)
    before = at_work()
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    folder = tempfile.TemporaryDirectory()
    try:
        references = submit(slowed(program, folder.name), COMMAND, 7)
        end = time.monotonic() + 120
        while not (workers := [pid for pid in at_work() if pid not in before]):
            assert time.monotonic() < end, "no worker began"
            time.sleep(0.01)
        os.kill(workers[0], signal.SIGKILL)
        parts = ray.get(references)
    finally:
        ray.shutdown()
        folder.cleanup()
    done = merge(program, parts)
    assert done.stdout == whole.stdout and len(done.stdout) > 0, "the reports differ"
    assert (done.returncode, done.stderr) == (whole.returncode, whole.stderr), done
    print(f"7 parts, worker {workers[0]} killed, {len(done.stdout)} bytes the same")


if __name__ == "__main__":
    main(sys.argv[1])
