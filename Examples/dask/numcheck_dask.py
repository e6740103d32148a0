"""Runs a numcheck command in parts on a Dask cluster, and puts them together:

    python numcheck_dask.py --scheduler tcp://head:8786 --parts 16 -- activations model.safetensors

Parts go wherever a worker is free; the part of a worker that dies goes to another. What is printed is, byte for byte, what the
command prints in one piece, and the exit status is its own. The workers need numcheck and the input at the same path.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

from dask.distributed import Client, LocalCluster


def part(program, command, index, count):
    """What `numcheck COMMAND --shard INDEX/COUNT` finds, as bytes."""
    done = subprocess.run([program, *command, "--shard", f"{index}/{count}"], capture_output=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode(errors="replace").strip())
    return done.stdout


def submit(client, program, command, count):
    """The futures of all parts. A part runs again where its worker is lost; a command that refuses does not."""
    indices = range(1, count + 1)
    return client.map(lambda k: part(program, command, k, count), indices, pure=False, key="numcheck-part")


def merge(program, parts, more=()):
    """Puts parts together: the finished `numcheck merge`."""
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for index, data in enumerate(parts):
            files.append(pathlib.Path(folder) / f"{index + 1}.part")
            files[-1].write_bytes(data)
        return subprocess.run([program, "merge", *more, *files], capture_output=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scheduler", help="the cluster's address (default: two workers here)")
    parser.add_argument("--parts", type=int, default=8)
    parser.add_argument("--program", default="numcheck")
    parser.add_argument("command", nargs="+", help="the command and its flags, after --")
    given = parser.parse_args()
    client = Client(given.scheduler or LocalCluster(n_workers=2, threads_per_worker=1))
    try:
        parts = client.gather(submit(client, given.program, given.command, given.parts))
    except RuntimeError as error:
        sys.exit(f"{error}")
    done = merge(given.program, parts)
    sys.stdout.buffer.write(done.stdout)
    sys.stderr.buffer.write(done.stderr)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
