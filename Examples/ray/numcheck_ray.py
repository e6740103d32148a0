"""Runs a numcheck command in parts on a Ray cluster, and puts them together:

    python numcheck_ray.py --address auto --parts 16 -- quantize model.gguf

Parts go wherever there is a processor; the part of a worker that dies runs again. What is printed is, byte for byte, what the
command prints in one piece, and the exit status is its own. The nodes need numcheck and the input at the same path.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import ray


@ray.remote(num_cpus=1, max_retries=3)
def part(program, command, index, count):
    """What `numcheck COMMAND --shard INDEX/COUNT` finds, as bytes, or why there is nothing, as text."""
    done = subprocess.run([program, *command, "--shard", f"{index}/{count}"], capture_output=True)
    return done.stdout if done.returncode == 0 else done.stderr.decode(errors="replace").strip()


def submit(program, command, count):
    """The references of all parts."""
    return [part.remote(program, command, index, count) for index in range(1, count + 1)]


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
    parser.add_argument("--address", help="the cluster's address (default: two processors here)")
    parser.add_argument("--parts", type=int, default=8)
    parser.add_argument("--program", default="numcheck")
    parser.add_argument("command", nargs="+", help="the command and its flags, after --")
    given = parser.parse_args()
    ray.init(**({"address": given.address} if given.address else {"num_cpus": 2}), log_to_driver=False)
    parts = ray.get(submit(given.program, given.command, given.parts))
    for failed in parts:
        if isinstance(failed, str):
            sys.exit(failed)
    done = merge(given.program, parts)
    sys.stdout.buffer.write(done.stdout)
    sys.stderr.buffer.write(done.stderr)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
