"""Finds and runs the ``numcheck`` command."""
from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Sequence


class NumcheckError(RuntimeError):
    """The command refused what it was asked (exit status 2), or cannot be found."""


def binary() -> str:
    """The path of the command: ``$NUMCHECK``, else the wheel's own, else the one on ``PATH``."""
    given = os.environ.get("NUMCHECK")
    if given:
        return given
    own = Path(__file__).parent / "bin" / "numcheck"
    if own.exists():
        return str(own)
    found = shutil.which("numcheck")
    if found:
        return found
    raise NumcheckError("no numcheck command: neither in the package, nor on PATH, nor as $NUMCHECK")


def run(arguments: Sequence[str], *, timeout: float | None = None) -> tuple[int, str]:
    """Runs the command; its exit status (0 all held, 1 a check failed, 2 with a report where there was nothing to check) and what it
    wrote on standard output.

    Raises ``NumcheckError`` with its message where it refused what it was asked.
    """
    command = binary()
    try:
        done = subprocess.run(
            [command, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False)
    except OSError as error:
        given = "$NUMCHECK, " if os.environ.get("NUMCHECK") else ""
        raise NumcheckError(f"{given}{command}: cannot be run: {error.strerror}") from None
    if done.returncode not in (0, 1) and not (done.returncode == 2 and done.stdout):
        message = done.stderr.decode("utf-8", "replace").strip() or f"ended with status {done.returncode}"
        raise NumcheckError(message.removeprefix("numcheck: "))
    return done.returncode, done.stdout.decode("utf-8", "replace")


def main() -> None:
    """The command itself, as the wheel's script."""
    import sys

    try:
        path = binary()
    except NumcheckError as error:
        sys.exit(f"numcheck: {error}")
    os.execv(path, [path, *sys.argv[1:]])
