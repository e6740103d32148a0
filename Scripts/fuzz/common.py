"""What every attack shares: running the command, judging how it ended, a seeded clock-bound loop."""

import argparse
import json
import os
import pathlib
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# Controls, and what turns the direction of text; a report has line feeds and nothing else of them.
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Finding(Exception):
    """Something that must not happen."""


class Run:
    """One run of the command: its arguments, status, output, errors."""

    def __init__(self, arguments, folder, stdin=None, limits=(), seconds=60, command=None):
        def prepare():
            for name, value in limits:
                resource.setrlimit(name, (value, value))

        self.arguments = arguments
        argv = [os.fsencode(a) if isinstance(a, str) else a for a in [command or binary(), *arguments]]
        environment = dict(os.environ, SWIFT_BACKTRACE="enable=no")
        try:
            done = subprocess.run(
                argv, cwd=folder, input=b"" if stdin is None else stdin, capture_output=True, timeout=seconds,
                preexec_fn=prepare, env=environment)
        except subprocess.TimeoutExpired:
            raise Finding(f"no end after {seconds} s: {arguments}")
        self.status, self.output, self.errors = done.returncode, done.stdout, done.stderr

    def judge(self, formats=True):
        """Raises a Finding unless it ended as it should."""
        what = f"{self.arguments}\n  status {self.status}\n  {self.errors[-600:]!r}"
        if self.status not in (0, 1, 2):
            raise Finding(f"a trap: {what}")
        errors = self.errors.decode("utf-8", "surrogateescape")
        if self.status == 2 and (not errors.startswith("numcheck: ") or errors.count("\n") != 1):
            raise Finding(f"not one line: {what}")
        for text in (errors, self.output.decode("utf-8", "surrogateescape")):
            raw = UNSAFE.search(text)
            if raw:
                raise Finding(f"raw {raw.group()!r}: {what}")
        if formats and self.status != 2 and "json" in self.arguments and self.output.startswith(b"{"):
            try:
                json.loads(self.output, parse_constant=lambda x: (_ for _ in ()).throw(ValueError(x)))
            except ValueError as error:
                raise Finding(f"invalid JSON ({error}): {what}")
        return self


def binary():
    given = os.environ.get("NUMCHECK")
    for path in [given] if given else [ROOT / ".build/release/numcheck", ROOT / ".build/debug/numcheck"]:
        if path and os.access(path, os.X_OK):
            return str(path)
    sys.exit("build numcheck first, or name it in NUMCHECK")


def loop(name, attack):
    """Calls attack(random, folder) until time is over; each run's seed follows from the first, so that any can be had again."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="run this number alone")
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    number, findings = options.only or 0, 0
    while time.monotonic() < end or number == options.only:
        source = random.Random(options.seed * 1_000_003 + number)
        folder = pathlib.Path(tempfile.mkdtemp(prefix="numcheck-fuzz-"))
        try:
            attack(source, folder)
        except Finding as finding:
            findings += 1
            print(f"{name} --seed {options.seed} --only {number}: {finding}", flush=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if number == options.only:
            break
        number += 1
    print(f"{name}: {number} runs, {findings} findings", flush=True)
    sys.exit(1 if findings else 0)


def hidden(folder):
    """Temporary files that were left."""
    return [p for p in folder.rglob(".*") if p.is_file()]
