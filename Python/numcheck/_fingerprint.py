"""How a function computes, found by crafted inputs alone."""
from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

import numpy as np

from ._arrays import _FORMATS, Codes, array, codes, dtype_name
from ._binary import NumcheckError, binary
from ._problem import operation_name

#: The operations that have a fingerprint.
OPERATIONS = ("softmax", "logsoftmax", "lse", "attention", "matmul", "rmsnorm", "layernorm")


@dataclass(frozen=True)
class Trait:
    """A property of a kernel: what was found (``None`` where no probe decides) and the probe that shows it, or why none does."""

    name: str
    value: str | None
    probe: str


@dataclass
class Fingerprint:
    """What ``fingerprint`` found. ``found["order"]`` is a trait's value; ``json`` the command's whole report."""

    json: dict[str, Any]
    calls: int = 0
    traits: list[Trait] = field(default_factory=list)

    def __getitem__(self, name: str) -> str | None:
        for trait in self.traits:
            if trait.name == name:
                return trait.value
        raise KeyError(name)

    @property
    def tree(self) -> str | None:
        """Which terms were added in which order, as brackets."""
        return self.json.get("tree")

    @property
    def claims(self) -> dict[str, bool]:
        """Of each claim that can be decided, whether it holds."""
        return {c["name"].removeprefix("claim:"): c["passed"] for c in self.json["checks"] if c["name"].startswith("claim:")}

    @property
    def passed(self) -> bool:
        """Whether no claim was refuted or left open, and no bound broken."""
        return self.json["status"] == "ok"

    def __str__(self) -> str:
        return self.json["conclusion"]


def fingerprint(operation: str, kernel: Callable[..., Any], *, dtype: Any = "f32", length: int = 128, framework: str = "numpy",
                claims: str | None = None, output: str | Path | None = None, against: str | Path | None = None,
                options: Mapping[str, Any] | None = None, timeout: float | None = None) -> Fingerprint:
    """Finds how a function computes: the precision of its steps, the order of its sums, its roundings, its special values.

    ``kernel`` gets arrays of ``framework`` in ``dtype``, as for ``verify`` (rows; a, b; q, k, v of [heads, tokens, head size]), and
    returns the result. ``length`` is the number of terms of a sum. ``claims`` (``accumulate=f32,order=sequential``) are each
    confirmed, refuted or left open; ``output`` keeps the fingerprint in a file, ``against`` compares it with one that was kept.
    """
    operation = operation_name(operation)
    if operation not in OPERATIONS:
        raise ValueError(f"operation {operation!r} has no fingerprint; there are: {', '.join(OPERATIONS)}")
    name = dtype_name(dtype)
    arguments = ["fingerprint", operation, "--dtype", name, "--length", str(length), "--format", "json"]
    for flag, value in (("--claims", claims), ("--output", output), ("--against", against)):
        if value is not None:
            arguments += [flag, str(value)]
    for option, value in (options or {}).items():
        arguments += ["--" + option.replace("_", "-"), str(value)]
    calls_in, calls_out = os.pipe()
    results_in, results_out = os.pipe()
    process = subprocess.Popen(
        [binary(), *arguments, "--channel", f"{calls_out},{results_in}"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, pass_fds=(calls_out, results_in))
    os.close(calls_out)
    os.close(results_in)
    calls = 0
    try:
        with os.fdopen(calls_in, "rb") as requests, os.fdopen(results_out, "wb", buffering=0) as answers:
            while head := requests.readline():
                inputs, dtype_of_result, shape = _call(head, requests)
                try:
                    answer = _bytes(kernel(*(array(c, framework) for c in inputs)), dtype_of_result, shape)
                except Exception as error:  # noqa: BLE001: what a kernel refuses is told by the command
                    answers.write(f"failed {type(error).__name__}: {' '.join(str(error).split())[:400]}\n".encode())
                    raise
                calls += 1
                _write(answers, b"done\n" + answer)
        out, said = process.communicate(timeout=timeout)
    except BrokenPipeError:
        out, said = process.communicate(timeout=timeout)
    except BaseException:
        process.kill()
        process.wait()
        raise
    if process.returncode not in (0, 1) and not out:
        raise NumcheckError(said.decode("utf-8", "replace").strip().removeprefix("numcheck: "))
    report = json.loads(out)
    traits = [Trait(r["trait"], r["value"], r["probe"]) for r in report["results"]]
    return Fingerprint(report, calls, traits)


def _call(head: bytes, requests: Any) -> tuple[list[Codes], str, tuple[int, ...]]:
    count = int(head.split()[2])
    lines = [requests.readline().decode().split() for _ in range(count + 1)]
    made = []
    for _, dtype, *shape in lines[:count]:
        sizes = tuple(map(int, shape))
        kind = np.dtype(_FORMATS[dtype][0])
        raw = requests.read(int(np.prod(sizes)) * kind.itemsize)
        made.append(Codes(dtype, np.frombuffer(raw, kind).reshape(sizes)))
    _, dtype, *shape = lines[count]
    return made, dtype, tuple(map(int, shape))


def _bytes(result: Any, dtype: str, shape: Sequence[int]) -> bytes:
    if isinstance(result, (tuple, list)):
        result = result[0]
    found = codes(result)
    if found.dtype != dtype:
        raise TypeError(f"the kernel gave {found.dtype}, not {dtype}")
    if found.shape != tuple(shape):
        raise ValueError(f"the kernel gave the shape {list(found.shape)}, not {list(shape)}")
    return np.ascontiguousarray(found.codes).tobytes()


def _write(file: Any, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view):]
