"""A local cluster of two workers, one of which is killed on the way: the report is that of one run.

    python test_numcheck_dask.py numcheck
"""

import os
import signal
import subprocess
import sys
import tempfile

from dask.distributed import Client, LocalCluster, as_completed

from numcheck_dask import merge, submit

COMMAND = ["softmax", "--dtype", "f16", "--rows", "90", "--length", "64", "--range", "30", "--format", "json"]


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
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        workers = client.run(os.getpid)
        assert len(workers) == 2, workers
        futures = submit(client, slowed(program, folder), COMMAND, 7)
        next(iter(as_completed(futures)))
        killed = sorted(workers.values())[0]
        os.kill(killed, signal.SIGKILL)
        parts = client.gather(futures)
        left = client.run(os.getpid)
    assert killed not in left.values(), "the worker lives"
    done = merge(program, parts)
    assert done.stdout == whole.stdout and len(done.stdout) > 0, "the reports differ"
    assert (done.returncode, done.stderr) == (whole.returncode, whole.stderr), done
    print(f"7 parts, worker {killed} killed, {len(done.stdout)} bytes the same")


if __name__ == "__main__":
    main(sys.argv[1])
