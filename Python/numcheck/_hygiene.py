"""What must not matter to a kernel: its memory, its calls before, strides, lengths, company."""
from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, Callable, Sequence

import numpy as np

from ._arrays import Codes, array, codes, same_bits
from ._problem import Problem, result_shapes
from ._report import Finding

#: Holds the results of a call against the truth: how many are wrong, of how many.
Judge = Callable[[Sequence[Codes], Sequence[Codes]], "tuple[int, int]"]

_WORDS = {
    "strides": "with arrays that are not contiguous",
    "odd-length": "of an odd length",
    "single-item": "of a single item",
    "odd-count": "of an odd number of items",
    "other-numbers": "with other numbers than those that were asked about",
    "same-first-element": "whose rows begin as those of an earlier call, and go on otherwise",
    "large-numbers": "with numbers so large that e^x overflows",
    "changed-in-place": "that find other contents in the arrays of the call before",
    "later-calls": "after the eighth",
}


@dataclass
class Call:
    """A call to be made, and what came of it."""

    items: list[int]
    length: int | None = None
    strided: bool = False
    fresh: bool = False
    traits: set[str] = field(default_factory=set)
    given: list[Codes] = field(default_factory=list)
    results: list[Codes] = field(default_factory=list)
    error: str = ""
    wrong: tuple[int, int] | None = None

    @property
    def is_wrong(self) -> bool:
        return bool(self.error) or bool(self.wrong and self.wrong[0])


class WrongResult(ValueError):
    """What a kernel gave is no array of the shape and dtype that were asked for."""


class Caller:
    """Calls a function with arrays of a framework, and sees what it does to them."""

    def __init__(self, kernel: Callable[..., Any], problem: Problem, dtype: str, framework: str) -> None:
        self.kernel = kernel
        self.problem = problem
        self.dtype = dtype
        self.framework = framework
        self.findings: dict[str, str] = {}
        self.calls = 0
        self._kept: dict[Any, list[Any]] = {}
        self._returned: list[tuple[Any, Codes]] = []

    def _made(self, c: Codes, strided: bool) -> Any:
        if not strided or len(c.shape) < 2 or self.framework == "jax":
            return array(c, self.framework)
        # Rows with a gap between them that holds NaN, or the largest code.
        wide = np.full((*c.shape[:-1], c.shape[-1] + 3), -1 if c.codes.dtype.kind in "iu" and c.codes.dtype.itemsize > 1 else
                       (np.nan if c.codes.dtype.kind == "f" else 255)).astype(c.codes.dtype)
        wide[..., : c.shape[-1]] = c.codes
        return array(Codes(c.dtype, wide), self.framework)[..., : c.shape[-1]]

    def call(self, given: Sequence[Codes], *, strided: bool = False, fresh: bool = True) -> list[Codes]:
        """Calls it; raises ``WrongResult`` for what is no result, and whatever the kernel raises."""
        self.calls += 1
        key = tuple((c.dtype, c.shape) for c in given)
        held = None if fresh or strided or self.framework == "jax" else self._kept.get(key)
        if held is not None:
            for x, c in zip(held, given):
                x[...] = array(c, self.framework)
            arrays = held
        else:
            arrays = [self._made(c, strided) for c in given]
            if not strided:
                self._kept[key] = arrays
        out = self.kernel(*arrays)
        for i, x, c in zip(self.problem.inputs, arrays, given):
            if not same_bits(codes(x), c):
                self.findings.setdefault("input-changed", f"changes its input {i.name}, in call {self.calls}")
                self._kept.pop(key, None)
        outs = list(out) if isinstance(out, (tuple, list)) else [out]
        if outs and not hasattr(outs[0], "shape"):
            raise WrongResult(f"gives a {type(out).__name__} of {type(outs[0]).__name__}, not an array")
        results = [codes(x) for x in outs]
        for x, c in self._returned:
            if not same_bits(codes(x), c):
                self.findings.setdefault(
                    "result-overwritten", f"call {self.calls} overwrites what an earlier call returned")
        # A few are kept: a ring of buffers comes round.
        self._returned = [*self._returned, *zip(outs, results)][-8:]
        wanted = result_shapes(self.problem.operation, given, self.problem.width)
        if len(results) < len(wanted):
            raise WrongResult(f"gives {len(results)} results, not {len(wanted)}")
        for x, shape in zip(results, wanted):
            if x.shape != shape:
                raise WrongResult(f"the result has the shape {x.shape}, not {shape}")
            if x.dtype != self.dtype:
                raise WrongResult(f"the result is {x.dtype}, not {self.dtype}")
        return results


#: Whose kernels subtract the largest logit first.
_SHIFTED = ("softmax", "logsoftmax", "lse", "crossentropy", "crossentropy-gradient")


def planned(problem: Problem, seed: int, *, shifted: bool = True) -> list[Call]:
    """At least twelve calls, in an order drawn from the seed; of large numbers, too, where the kernel is to be ``shifted``."""
    draw = random.Random(seed)
    count = problem.count

    def some(n: int) -> list[int]:
        start = draw.randrange(count)
        return [(start + k) % count for k in range(n)]

    usual = min(count, 8)
    calls = [Call(some(usual)) for _ in range(6)]
    calls += [Call(some(usual), fresh=True) for _ in range(2)]
    calls += [Call(some(usual), strided=True, traits={"strides"}) for _ in range(2)]
    calls += [Call(some(usual), traits={"other-numbers"}) for _ in range(2)]
    if shifted and problem.operation in _SHIFTED:
        calls.append(Call(some(usual), traits={"large-numbers"}))
    if count > 1:
        calls += [Call(some(1), traits={"single-item"}), Call(some(min(count, 7)), traits={"odd-count"})]
    if problem.length:
        odd = [n for n in ((problem.length - 1) | 1, problem.length // 2 | 1, 33, 7) if 0 < n < problem.length]
        calls += [Call(some(usual), length=n, traits={"odd-length"}) for n in odd[:3]]
    while len(calls) < 14:
        calls.append(Call(some(usual)))
    draw.shuffle(calls)
    # The first two are plain: the second finds other contents in the very arrays of the first.
    for k in range(2):
        plain = next((j for j in range(k, len(calls)) if not calls[j].traits and not calls[j].fresh), k)
        calls[k], calls[plain] = calls[plain], calls[k]
    calls.insert(3, Call(list(calls[0].items), traits={"other-numbers", "same-first-element"}))
    for k, c in enumerate(calls):
        if k and not c.fresh and not c.strided and _contents(c) != _contents(calls[k - 1]):
            c.traits.add("changed-in-place")
        if k > 7:
            c.traits.add("later-calls")
    return calls


def _contents(c: Call) -> tuple[list[int], set[str]]:
    """What tells the numbers of two calls apart."""
    return c.items, c.traits & {"other-numbers", "large-numbers", "same-first-element"}


def _changed(c: Codes, other: Callable[[Any, float], Any]) -> Codes:
    """Of each finite number, and of the largest, another."""
    x = array(c, "numpy")
    f = x.astype(np.float64)
    finite = np.isfinite(f)
    largest = np.abs(f[finite]).max(initial=0)
    if c.dtype in ("int64", "int32", "bool") or largest == 0:
        return c
    with np.errstate(all="ignore"):
        return codes(np.where(finite, other(f, largest), f).astype(x.dtype))


def _squared(c: Codes) -> Codes:
    """Each number's square with its sign, over the largest: within the same range, of another distribution."""
    return _changed(c, lambda f, largest: f * (np.abs(f) / largest))


def _squared_behind_first(c: Codes) -> Codes:
    """The same, but for the first of each row, along the last axis."""
    other = Codes(c.dtype, _squared(c).codes.copy())
    other.codes[..., :1] = c.codes[..., :1]
    return other


def _large(c: Codes) -> Codes:
    """All numbers times the same, so that e^x overflows in f32 (or f64)."""
    return _changed(c, lambda f, largest: f * ((1000 if c.dtype == "f64" else 400) / largest))


def hygiene(caller: Caller, problem: Problem, judge: Judge, seed: int, *, shifted: bool = True) -> list[Finding]:
    """Makes the calls, and names what a kernel does that it must not do; one that is ``shifted`` bears large logits."""
    calls = planned(problem, seed, shifted=shifted)
    for c in calls:
        c.given = problem.call(c.items, c.length)
        if "other-numbers" in c.traits:
            squared = _squared_behind_first if "same-first-element" in c.traits else _squared
            c.given = [squared(c.given[0]), *c.given[1:]]
        if "large-numbers" in c.traits:
            c.given = [_large(c.given[0]), *c.given[1:]]
        try:
            c.results = caller.call(c.given, strided=c.strided, fresh=c.fresh)
        except WrongResult as error:
            c.error = str(error)
        except Exception as error:  # noqa: BLE001: whatever a kernel raises is a finding
            c.error = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}".rstrip(": ")
        if not c.error:
            c.wrong = judge(c.given, c.results)
    findings = [Finding(kind, text) for kind, text in caller.findings.items()]
    failed = [c for c in calls if c.error]
    if failed:
        trait = _trait(failed, calls) if len(failed) < len(calls) else None
        where = f" in calls {_WORDS[trait]}" if trait else ""
        findings.append(Finding("exception", f"{failed[0].error}{where} ({len(failed)} of {len(calls)} calls)"))
    stale = [
        now for k, now in enumerate(calls) if now.is_wrong and any(_is_stale(before, now) for before in calls[:k])]
    if stale:
        findings.append(Finding(
            "stale-results",
            f"call {calls.index(stale[0]) + 1} gives the results of an earlier call, whose inputs were others "
            f"({len(stale)} of {len(calls)} calls)"))
    judged = [c for c in calls if c.wrong is not None and not any(c is s for s in stale)]
    wrong = [c for c in judged if c.is_wrong]
    # Where the first, plain call is wrong too, its results say what is.
    if wrong and not judged[0].is_wrong:
        trait = _trait(wrong, judged)
        first = wrong[0].wrong or (0, 0)
        what = f"first call {calls.index(wrong[0]) + 1}, {first[0]} of {first[1]} results"
        if trait:
            findings.append(Finding(
                trait, f"results are wrong in calls {_WORDS[trait]} ({len(wrong)} of {len(judged)} calls; {what}) and right in the others"))
        else:
            findings.append(Finding("changing-results", f"results are wrong in {len(wrong)} of {len(judged)} calls ({what})"))
    return findings


def _is_stale(before: Call, now: Call) -> bool:
    if not before.results or not now.results or all(same_bits(a, b) for a, b in zip(before.given, now.given)):
        return False
    # Of the same shapes: a part of what was asked before may well be answered alike.
    if [c.shape for c in before.given] != [c.shape for c in now.given]:
        return False
    if not same_bits(before.results[0], now.results[0]):
        return False
    # Constants, NaN of either sign among them, say nothing of where they come from.
    new = np.ascontiguousarray(now.results[0].codes).ravel()
    bits = new.view(f"u{new.itemsize}")
    magnitude = bits.dtype.type((1 << (8 * new.itemsize - 1)) - 1)
    return bool(((bits ^ bits[0]) & magnitude).any())


def _trait(hits: list[Call], calls: list[Call]) -> str | None:
    """The narrowest trait that all hits have, where it explains more than half of the calls that have it."""
    common = [t for t in _WORDS if all(t in c.traits for c in hits)]
    sizes = {t: sum(t in c.traits for c in calls) for t in common}
    fitting = [t for t in common if 2 * len(hits) > sizes[t] and sizes[t] < len(calls)]
    return min(fitting, key=lambda t: sizes[t], default=None)


def invariance(caller: Caller, problem: Problem, seed: int) -> dict[str, int | None]:
    """The most bits by which a result differs under each change that changes no question; None where one is NaN."""
    count = min(problem.count, 16)
    everything = list(range(count))
    draw = random.Random(seed)

    def ask(items: list[int]) -> Codes:
        return caller.call(problem.call(items))[0]

    base = ask(everything)
    each = problem.per_item_of_results()

    def bits(items: list[int], result: Codes) -> int | None:
        most: int | None = 0
        for k, item in enumerate(items):
            if item >= count:
                continue
            a = result.codes[k * each : (k + 1) * each]
            b = base.codes[item * each : (item + 1) * each]
            here = _bits(Codes(base.dtype, a), Codes(base.dtype, b))
            if here is None:
                return None
            most = max(most or 0, here)
        return most

    cells: dict[str, int | None] = {}

    def worst(name: str, orders: list[list[int]]) -> None:
        found = [bits(order, ask(order)) for order in orders]
        cells[name] = None if any(f is None for f in found) else max(f for f in found if f is not None)

    if count > 1:
        worst("batch of 1", [[k] for k in sorted({0, count // 3, count // 2, count - 1})])
        worst("position in the batch", [[(k + s) % count for k in everything] for s in sorted({1, count // 2, count - 1})])
        worst("permuted", [draw.sample(everything, count)])
        worst("padding of the batch", [everything + [k % count for k in range(5)]])
    worst("run to run", [everything] * 3)
    if caller.framework == "torch":
        import torch

        before = torch.get_num_threads()
        found = []
        try:
            for n in (1, 2, 4):
                torch.set_num_threads(n)
                found.append(bits(everything, ask(everything)))
        finally:
            torch.set_num_threads(before)
        cells["threads 1, 2, 4"] = None if any(f is None for f in found) else max(f for f in found if f is not None)
    return cells


def _bits(a: Codes, b: Codes) -> int | None:
    """⌈log₂(steps + 1)⌉ for the two results that are farthest apart."""
    kind = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}[a.codes.dtype.itemsize]
    x, y = (np.ascontiguousarray(c.codes).view(kind).ravel() for c in (a, b))
    if (x == y).all():
        return 0
    nan = [np.isnan(np.asarray(array(c), np.float64)).ravel() for c in (a, b)]
    if (nan[0] != nan[1]).any():
        return None
    sign = kind(1 << (8 * a.codes.dtype.itemsize - 1))

    def place(codes_: np.ndarray) -> list[int]:
        return [int(c & (sign - kind(1))) * (-1 if c & sign else 1) for c in codes_]

    differ = (x != y) & ~nan[0]
    if not differ.any():
        return 0
    steps = max(max(abs(p - q), 1) for p, q in zip(place(x[differ]), place(y[differ])))
    return steps.bit_length()
