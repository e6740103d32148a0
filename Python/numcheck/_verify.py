"""Kernels and results held against the proven answer."""
from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

from . import _binary
from ._arrays import Codes, array, codes, dtype_name, load, save
from ._hygiene import Caller, WrongResult, hygiene as tried, invariance as moved
from ._problem import AROUND, GRADIENTS, Problem, generated, operation_name, problem
from ._report import Finding, Report

#: What the command calls each input.
_FLAGS = {"input": "--input", "q": "--q", "k": "--k", "v": "--v", "a": "--a", "b": "--b", "weight": "--weight", "bias": "--bias",
          "mask": "--mask", "positions": "--position-ids", "distances": "--distances", "targets": "--targets", "target": "--target",
          "keys": "--keys", "values": "--values", "query_matrix": "--query-matrix", "key_matrix": "--key-matrix",
          "combination": "--combination", "do": "--do"}


class KernelWrong(AssertionError):
    """A kernel, or results, that no right kernel gives; ``report`` says what was found."""

    def __init__(self, report: Report) -> None:
        super().__init__(str(report))
        self.report = report


def _options(options: Mapping[str, Any] | None) -> list[str]:
    """Flags of the command from keywords: ``causal=True, window="4,0", scale=0.5``."""
    made: list[str] = []
    for name, value in (options or {}).items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            made.append(flag)
        elif value is not False and value is not None:
            made += [flag, str(value)]
    return made


def _ask(operation: str, inputs: Mapping[str, Codes], results: Sequence[Codes], options: Sequence[str],
         timeout: float | None, name: str = "results") -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="numcheck-") as folder:
        path = Path(folder) / "case.safetensors"
        names = list(GRADIENTS if operation == "attention-backward" else ("results", "lse"))[: len(results)]
        save(path, {**inputs, **dict(zip(names, results))})
        arguments = ["verify", operation]
        for n in inputs:
            arguments += [_FLAGS[n], f"{path}:{n}"]
        if operation == "attention-backward":
            for n in names:
                arguments += [f"--{n}", f"{path}:{n}"]
        else:
            arguments += ["--results", f"{path}:results"]
        if "input" not in inputs and operation in AROUND:
            # Their rows are positions or distances.
            arguments += ["--rows", str(next(iter(inputs.values())).shape[0])]
        if "lse" in names:
            arguments += ["--lse-results", f"{path}:lse"]
        text = _binary.run([*arguments, *options, "--format", "json"], timeout=timeout)[1]
        # The file is gone when somebody reads of it.
        labels = [name, *(f"{name}, {n}" for n in names[1:])]
        for part, label in zip(names, labels):
            text = text.replace(json.dumps(f"{path}:{part}")[1:-1], json.dumps(label)[1:-1])
        return json.loads(text)


def judge(operation: str, inputs: Any, results: Any, *, claims: str | None = None, options: Mapping[str, Any] | None = None,
          timeout: float | None = None) -> Report:
    """Holds results that were computed already against the proven answer.

    ``inputs`` is an array (rows of logits) or a mapping from names (``q``, ``k``, ``v``; ``a``, ``b``; ``input``, ``weight``) to
    arrays of numpy, ml_dtypes, torch or jax; ``results`` an array of the results' dtype, a pair (o, lse) for attention, or
    (dq, dk, dv) for ``attention-backward``, whose inputs are ``q``, ``k``, ``v`` and ``do``.
    ``claims`` is the plan that the kernel promises (``accumulate=f32,compute=f32``), ``options`` are flags of
    ``numcheck verify`` (``{"causal": True}``).
    """
    operation = operation_name(operation)
    named = inputs if isinstance(inputs, Mapping) else {"input": inputs}
    outs = list(results) if isinstance(results, (tuple, list)) else [results]
    flags = _options(options) + (["--claims", claims] if claims else [])
    return Report(_ask(operation, {n: codes(x) for n, x in named.items()}, [codes(x) for x in outs], flags, timeout))


def assert_accurate(operation: str, inputs: Any, results: Any, *, claims: str | None = None,
                    options: Mapping[str, Any] | None = None, max_ulp: float | None = None,
                    timeout: float | None = None) -> Report:
    """``judge``, and raises ``KernelWrong`` (an ``AssertionError``) where any result is wrong, or above ``max_ulp``."""
    report = judge(operation, inputs, results, claims=claims, options=options, timeout=timeout)
    if max_ulp is not None and not report.max_ulp <= max_ulp:
        report.findings.append(Finding("ulp", f"errs by {report.max_ulp:.4g} ulp, more than {max_ulp:g}"))
    if not report.passed:
        raise KernelWrong(report)
    return report


def reference(operation: str, inputs: Any, *, dtype: Any = "f32", framework: str = "numpy",
              options: Mapping[str, Any] | None = None, timeout: float | None = None) -> Any:
    """The correctly rounded results, proven: inputs exactly as they are, only the results rounded to ``dtype``.

    An array of ``framework`` (``numpy``, ``torch``, ``jax``); attention gives ``(o, lse)``, ``attention-backward`` ``(dq, dk, dv)``.
    """
    operation = operation_name(operation)
    name = dtype_name(dtype)
    named = inputs if isinstance(inputs, Mapping) else {"input": inputs}
    with tempfile.TemporaryDirectory(prefix="numcheck-") as folder:
        path, out = Path(folder) / "case.safetensors", Path(folder) / "reference.safetensors"
        save(path, {n: codes(x) for n, x in named.items()})
        arguments = ["reference", *(["attention", "--backward"] if operation == "attention-backward" else [operation])]
        for n in named:
            arguments += [_FLAGS[n], f"{path}:{n}"]
        if "input" not in named and operation in AROUND:
            arguments += ["--rows", str(len(next(iter(named.values()))))]
        _binary.run([*arguments, "--dtype", name, "--output", str(out), *_options(options)], timeout=timeout)
        found = load(out)
    if operation == "attention-backward":
        return tuple(array(found[n], framework) for n in GRADIENTS)
    if operation == "attention":
        return array(found["o"], framework), array(found["lse"], framework)
    return array(next(iter(found.values())), framework)


def verify(operation: str, kernel: Callable[..., Any], *, dtype: Any = "f32", shape: Any = None,
           inputs: Mapping[str, Any] | Any | None = None, framework: str = "numpy", distribution: str = "normal",
           scale: float = 1.0, seed: int = 1, hygiene: bool = True, invariance: bool = False, claims: str | None = None,
           options: Mapping[str, Any] | None = None, timeout: float | None = None) -> Report:
    """Calls a kernel of yours, and holds every number that it gives against the proven answer.

    ``kernel`` gets arrays of ``framework`` in ``dtype`` (``f32``, ``bf16``, ``f8e4m3fn`` …), in the order input; input, weight,
    bias; a, b; q, k, v; input, positions (``rope``); positions (``sinusoidal``); distances (``alibi``: the second number of ``shape``
    is how many heads there are); input, targets (``bce``); input, target (``smoothed-crossentropy``); input, keys
    (and query_matrix, key_matrix, combination, ``scores``); input, keys, values (``linear-attention``, ``sigmoid-attention``); q, k, v, do
    (``attention-backward``), and returns the result (for attention ``o`` or ``(o, lse)``, for its backward pass
    ``(dq, dk, dv)``). They are drawn from ``distribution``
    (``normal`` or ``uniform``, times ``scale``) in ``shape``: (rows, length), (rows, inner, columns) for matmul, (heads, tokens,
    head size) for attention, or a shape for each input; or they are ``inputs``.

    With ``hygiene`` the kernel is then called fourteen times and more with other contents, in place and anew, not contiguous, of odd
    lengths and numbers, in shuffled order, and each result is judged; with ``invariance`` in other company, and bits that change are
    counted. ``claims`` and ``options`` are as in ``judge``. The report says whether it ``passed``.
    """
    operation = operation_name(operation)
    name = dtype_name(dtype)
    if AROUND.get(operation, ((), (), ""))[2] == "width":
        # They have no array of that width.
        options = {"length": shape[1] if shape is not None else 64, **(options or {})}
    if inputs is None:
        given = generated(operation, shape, name, distribution, scale, seed, options)
    else:
        named = inputs if isinstance(inputs, Mapping) else {"input": inputs}
        given = {n: codes(x) for n, x in named.items()}
    flags = _options(options) + (["--claims", claims] if claims else [])
    asked = problem(operation, given, flags)
    caller = Caller(kernel, asked, name, framework)
    called = getattr(kernel, "__name__", type(kernel).__name__)

    def ask(arrays: Sequence[Codes], results: Sequence[Codes]) -> dict[str, Any]:
        return _ask(operation, {i.name: c for i, c in zip(asked.inputs, arrays)}, results, flags, timeout, called)

    whole = [i.codes for i in asked.inputs]
    try:
        results = caller.call(whole)
    except WrongResult as error:
        return Report({"status": "failed", "conclusion": f"{operation}: {error}"}, [Finding("results", str(error))], calls=1)
    report = Report(ask(whole, results))
    if hygiene:
        report.findings += tried(caller, asked, lambda a, r: _wrong(ask(a, r)), seed,
                                 shifted="algorithm=naive" not in (claims or ""))
    else:
        report.findings += [Finding(kind, text) for kind, text in caller.findings.items()]
    if invariance:
        report.invariance = moved(caller, asked, seed)
    report.calls = caller.calls
    return report


def _wrong(json: Mapping[str, Any]) -> tuple[int, int]:
    results = json.get("results", [])
    return sum(int(r.get("aboveBound") or 0) for r in results), sum(int(r.get("results") or 0) for r in results)


__all__ = ["KernelWrong", "Problem", "assert_accurate", "judge", "reference", "verify"]
