"""Hypothesis strategies for numbers of a format, and for the rows, masks and tensors on which kernels go wrong.

    from hypothesis import given
    import numcheck
    from numcheck.strategies import rows

    @given(rows("f32"))
    def test_softmax(x):
        numcheck.assert_accurate("softmax", x, softmax(x))

The kinds are those of the Swift library StabilityTesting. What is drawn shrinks as everything does in Hypothesis: shorter, zeros, small
whole numbers. Needs the package ``hypothesis``.
"""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Callable, Optional, Sequence

import numpy as np

try:
    from hypothesis import strategies as st
except ImportError as error:  # pragma: no cover: said by whoever imports it
    raise ImportError("numcheck.strategies needs hypothesis: pip install hypothesis") from error

from ._arrays import Codes, array, dtype_name, rounded

__all__ = [
    "FAMILIES", "Format", "finite", "infinite", "log_uniform", "masks", "matrices", "midpoints", "nan", "near", "normal", "outliers",
    "rows", "subnormal", "thresholds", "vectors", "zero",
]


@dataclass(frozen=True)
class Format:
    """A floating-point format: exponent and significand bits (without the hidden one), bias, and which special numbers there are."""

    name: str
    exponent_bits: int
    significand_bits: int
    bias: int
    has_infinity: bool = True
    #: ``ieee``: every code of a full exponent but infinity; ``all-ones``: one code; ``negative-zero``: the code of −0.
    nan: str = "ieee"

    @property
    def min_exponent(self) -> int:
        return 1 - self.bias

    @property
    def max_exponent(self) -> int:
        return (1 << self.exponent_bits) - 1 - (1 if self.nan == "ieee" else 0) - self.bias

    @property
    def largest(self) -> float:
        last = 1 - self.significand_bits if self.nan == "all-ones" else -self.significand_bits
        return math.ldexp(2 - math.ldexp(1, last), self.max_exponent)

    @property
    def smallest_normal(self) -> float:
        return math.ldexp(1, self.min_exponent)

    @property
    def smallest(self) -> float:
        """The smallest positive number."""
        return math.ldexp(1, self.min_exponent - self.significand_bits)

    def ulp(self, x: float) -> float:
        exponent = max(math.frexp(x)[1] - 1, self.min_exponent) if x else self.min_exponent
        return math.ldexp(1, exponent - self.significand_bits)

    def round(self, x: float) -> float:
        """The nearest number, ties to even; the largest where ``x`` is beyond it. What is not finite stays so."""
        if not math.isfinite(x) or x == 0:
            return x
        if abs(x) >= self.largest:
            return math.copysign(self.largest, x)
        ulp = self.ulp(x)
        # A quotient by a power of two, exact but where it underflows, and Python rounds to even.
        y = round(x / ulp) * ulp
        return math.copysign(min(abs(y), self.largest), x)

    def stepped(self, x: float, steps: int) -> float:
        """The finite number so many steps away; the last one where the format ends."""
        place = self._place(self.round(x)) + steps
        top = self._place(self.largest)
        place = max(-top, min(top, place))
        hidden = 1 << self.significand_bits
        field, fraction = divmod(abs(place), hidden)
        size = math.ldexp(fraction, self.min_exponent - self.significand_bits) if field == 0 else math.ldexp(
            hidden + fraction, field - self.bias - self.significand_bits)
        return math.copysign(size, place)

    def _place(self, x: float) -> int:
        size = abs(x)
        hidden = 1 << self.significand_bits
        if size < self.smallest_normal:
            place = int(math.ldexp(size, self.significand_bits - self.min_exponent))
        else:
            fraction, exponent = math.frexp(size)
            place = (exponent - 1 + self.bias) * hidden + int(math.ldexp(fraction, self.significand_bits + 1)) - hidden
        return -place if x < 0 else place


_FORMATS = {
    f.name: f
    for f in (
        Format("f64", 11, 52, 1023), Format("f32", 8, 23, 127), Format("f16", 5, 10, 15), Format("bf16", 8, 7, 127),
        Format("f8e4m3fn", 4, 3, 7, False, "all-ones"), Format("f8e5m2", 5, 2, 15),
        Format("f8e4m3fnuz", 4, 3, 8, False, "negative-zero"), Format("f8e5m2fnuz", 5, 2, 16, False, "negative-zero"),
        Format("f8e3m4", 3, 4, 3),
    )
}


def format_of(dtype: Any) -> Format:
    """The record of a dtype: a name of ours, or numpy's, ml_dtypes', torch's, jax's."""
    name = dtype_name(dtype)
    if name not in _FORMATS:
        raise ValueError(f"dtype {dtype!r}: not a floating-point format")
    return _FORMATS[name]


def thresholds(dtype: Any) -> list[float]:
    """Where kernels of exponentials turn: e^x over- and underflows, is 1 to within half a unit; where numbers end; what masks are."""
    f = format_of(dtype)
    ln2 = math.log(2)
    least = f.min_exponent - f.significand_bits
    numbers = [
        (f.max_exponent + 1) * ln2, -(f.max_exponent + 1) * ln2, f.min_exponent * ln2, least * ln2, (least - 1) * ln2,
        -(f.significand_bits + 1) * ln2, math.ldexp(1, -f.significand_bits - 1), math.ldexp(1, -f.significand_bits), 1.0, ln2 / 2, ln2,
        math.ldexp(1, f.significand_bits + 1), f.smallest_normal, f.smallest, f.largest, f.largest / 2, 88.72283905206835,
        -87.3365447505531, -103.97207708399179, 11.090354888959125, -9.70406052783923, -1e4, -5e4, -65504.0, 65504.0, 2048.0, 65536.0,
    ]
    return [x for x in (f.round(y) for y in numbers) if x]


# Numbers, as Python floats. Every one is a number of the dtype.


def finite(dtype: Any, *, min_value: Optional[float] = None, max_value: Optional[float] = None) -> st.SearchStrategy[float]:
    """Finite numbers of every kind, between two where these are given."""
    f = format_of(dtype)
    low = f.round(-f.largest if min_value is None else max(min_value, -f.largest))
    high = f.round(f.largest if max_value is None else min(max_value, f.largest))
    if min_value is not None and low < min_value:
        low = f.stepped(low, 1)
    if max_value is not None and high > max_value:
        high = f.stepped(high, -1)
    if low > high:
        raise ValueError(f"no number of {f.name} is between {min_value} and {max_value}")
    marks = [x for t in thresholds(f.name) for s in (-1, 0, 1) if low <= (x := f.stepped(t, s)) <= high]
    small = st.floats(max(low, -16.0), min(high, 16.0)) if low <= 16 and high >= -16 else None
    every = st.floats(low, high)
    kinds = [s for s in (small, every, st.sampled_from(marks) if marks else None) if s is not None]
    return st.one_of(kinds).map(f.round).map(lambda x: 0.0 if f.nan == "negative-zero" and x == 0 else x)


def normal(dtype: Any) -> st.SearchStrategy[float]:
    """Normal numbers, every exponent as likely."""
    f = format_of(dtype)
    top = f.significand_bits
    last = (1 << top) - 1

    def number(negative: bool, exponent: int, fraction: int) -> float:
        x = min(math.ldexp(1 + math.ldexp(fraction, -top), exponent), f.largest)
        return -x if negative else x

    return st.builds(number, st.booleans(), st.integers(f.min_exponent, f.max_exponent), st.integers(0, last))


def subnormal(dtype: Any) -> st.SearchStrategy[float]:
    """Subnormal numbers."""
    f = format_of(dtype)
    return st.builds(
        lambda negative, n: (-n if negative else n) * f.smallest, st.booleans(), st.integers(1, (1 << f.significand_bits) - 1))


def zero(dtype: Any) -> st.SearchStrategy[float]:
    """Zeros of both signs, where there are two."""
    return st.just(0.0) if format_of(dtype).nan == "negative-zero" else st.sampled_from([0.0, -0.0])


def infinite(dtype: Any) -> st.SearchStrategy[float]:
    """Infinities; nothing where there are none."""
    return st.sampled_from([math.inf, -math.inf]) if format_of(dtype).has_infinity else st.nothing()


def nan(dtype: Any) -> st.SearchStrategy[float]:
    """NaN."""
    format_of(dtype)
    return st.just(math.nan)


def log_uniform(dtype: Any, low: float, high: float, *, signed: bool = True) -> st.SearchStrategy[float]:
    """Numbers whose magnitudes are from ``low`` to ``high``, their logarithms uniform."""
    f = format_of(dtype)
    if not 0 < low <= high or f.round(high) < low:
        raise ValueError(f"no number of {f.name} is between {low} and {high}")

    def number(exponent: float, negative: bool) -> float:
        x = f.round(min(max(math.exp(exponent), low), high))
        x = f.stepped(x, 1) if x < low else f.stepped(x, -1) if x > high else x
        return -x if negative else x

    return st.builds(number, st.floats(math.log(low), math.log(high)), st.booleans() if signed else st.just(False)).filter(
        lambda x: low <= abs(x) <= high)


def midpoints(dtype: Any, of: Any, *, ulps: int = 1) -> st.SearchStrategy[float]:
    """Numbers half way between neighbours of a narrower format, and up to ``ulps`` steps from there."""
    f, narrow = format_of(dtype), format_of(of)
    if f.significand_bits <= narrow.significand_bits:
        raise ValueError(f"{f.name} has no numbers between those of {narrow.name}")

    def number(x: float, steps: int) -> float:
        following = narrow.stepped(x, 1)
        return f.stepped(x + (following - x) / 2, steps)

    return st.builds(number, finite(narrow.name).filter(lambda x: abs(x) < narrow.largest), st.integers(-ulps, ulps))


def near(dtype: Any, numbers: Optional[Sequence[float]] = None, *, ulps: int = 2) -> st.SearchStrategy[float]:
    """Numbers at most ``ulps`` steps from one of ``numbers``; where kernels turn unless given."""
    f = format_of(dtype)
    return st.builds(f.stepped, st.sampled_from(list(thresholds(f.name) if numbers is None else numbers)), st.integers(-ulps, ulps))


# Arrays.

#: Kinds of rows that kernels over rows go wrong on.
FAMILIES = (
    "any", "level", "ties", "spike", "block-edge", "ascending", "descending", "masked-tail", "masked-blocks", "thresholds", "reduction",
    "far-below", "far-above", "cancelling", "subnormal", "tail",
)
_MASKED = ("masked-tail", "masked-blocks")


def _arrays(values: Any, dtype: str, framework: str) -> Any:
    return array(Codes(dtype, rounded(np.asarray(values, np.float64), dtype).codes), framework)


def vectors(
    dtype: Any, elements: Optional[st.SearchStrategy[float]] = None, *, min_size: int = 1, max_size: int = 64, framework: str = "numpy"
) -> st.SearchStrategy[Any]:
    """Arrays of shape (n,); finite numbers unless ``elements`` says otherwise."""
    name = format_of(dtype).name
    drawn = finite(name) if elements is None else elements
    return st.lists(drawn, min_size=min_size, max_size=max_size).map(lambda x: _arrays(x, name, framework))


def matrices(
    dtype: Any, elements: Optional[st.SearchStrategy[float]] = None, *, max_rows: int = 8, max_columns: int = 16,
    framework: str = "numpy",
) -> st.SearchStrategy[Any]:
    """Arrays of shape (rows, columns)."""
    name = format_of(dtype).name
    drawn = finite(name) if elements is None else elements

    def made(columns: int) -> st.SearchStrategy[Any]:
        row = st.lists(drawn, min_size=columns, max_size=columns)
        return st.lists(row, min_size=1, max_size=max_rows).map(lambda x: _arrays(x, name, framework))

    return st.integers(1, max_columns).flatmap(made)


@st.composite
def rows(
    draw: Callable[..., Any], dtype: Any, *, min_size: int = 1, max_size: int = 64, limit: Optional[float] = None,
    families: Sequence[str] = FAMILIES, batch: bool = True, framework: str = "numpy",
) -> Any:
    """Arrays of shape (1, n), or (n,) where ``batch`` is false: rows of the kinds in ``families``, finite numbers at most ``limit`` large;
    at least one is finite."""
    unknown = [x for x in families if x not in FAMILIES]
    if unknown or not families:
        raise ValueError(f"no kind of rows {unknown}; there are: {', '.join(FAMILIES)}")
    f = format_of(dtype)
    limit = f.largest if limit is None else limit
    number = finite(f.name, min_value=-limit, max_value=limit)
    usable = [x for x in families if f.has_infinity or x not in _MASKED] or ["any"]
    family = draw(st.sampled_from(usable))
    small = st.floats(max(-16.0, -limit), min(16.0, limit))
    x = draw(st.lists(number if family == "any" else small, min_size=min_size, max_size=max_size))
    n = len(x)

    def place(last: int) -> int:
        return draw(st.integers(0, last))

    if n:
        top = max(x)
        if family == "level":
            x = [draw(number)] * n
        elif family == "ties":
            for _ in range(1 + place(7)):
                x[place(n - 1)] = top
        elif family in ("spike", "block-edge"):
            block = 1 << place(7)
            k = place(n - 1) if family == "spike" else ((1 + place(max(0, n // block - 1))) * block - place(1)) % n
            x[k] = top + draw(st.sampled_from([0.5, 5.0, 20.0, 80.0, 1000.0]))
        elif family in ("ascending", "descending"):
            x.sort(reverse=family == "descending")
        elif family in _MASKED:
            kept, block, odd = place(n - 1), 1 << place(7), place(1)
            hidden = [k > kept if family == "masked-tail" else k // block % 2 == odd and k != kept for k in range(n)]
            x = [-math.inf if h else v for v, h in zip(x, hidden)]
        elif family == "thresholds":
            x = [top - abs(draw(near(f.name))) for _ in x]
            x[place(n - 1)] = top
        elif family == "reduction":
            x = [f.stepped(-(place(120) + 0.5) * math.log(2), place(4) - 2) for _ in x]
            x[place(n - 1)] = 0.0
        elif family in ("far-below", "far-above"):
            size = limit * draw(st.sampled_from([1.0, 0.9375, 0.5, 0.01]))
            x = [(-1 if family == "far-below" else 1) * (size - abs(v)) for v in x]
        elif family == "cancelling":
            size = draw(st.sampled_from([1e2, 1e4, f.largest / 4]))
            x = [size if k % 4 == 0 else -size if k % 4 == 2 else v for k, v in enumerate(x)]
        elif family == "subnormal":
            x = [(place(80) - 40) * f.smallest for _ in x]
        elif family == "tail":
            x = [-(1 + place(f.significand_bits + 2)) * math.log(2) - math.log(4 / 3)] * n
            x[place(n - 1)] = 0.0
    x = [v if math.isinf(v) else f.round(max(-limit, min(limit, v))) for v in x]
    x = [v if abs(v) <= limit or math.isinf(v) else f.stepped(v, -1 if v > 0 else 1) for v in x]
    return _arrays([x] if batch else x, f.name, framework)


@st.composite
def masks(draw: Callable[..., Any], *, max_queries: int = 8, max_keys: int = 8) -> Any:
    """Arrays of bool of shape (queries, keys), true where a key is seen: all, causal, a window, blocks, padding, any."""
    queries, keys = draw(st.integers(1, max_queries)), draw(st.integers(1, max_keys))
    kind, width = draw(st.integers(0, 5)), draw(st.integers(1, 8))
    i, j = np.arange(queries)[:, None], np.arange(keys)[None, :]
    if kind == 5:
        flat = draw(st.lists(st.booleans(), min_size=queries * keys, max_size=queries * keys))
        return np.array(flat, bool).reshape(queries, keys)
    seen = [j >= 0, j <= i, (j <= i) & (j > i - width), i // width % 2 == j // width % 2, j < width][kind]
    return np.broadcast_to(seen, (queries, keys)).copy()


@st.composite
def outliers(
    draw: Callable[..., Any], dtype: Any, *, max_tokens: int = 16, max_channels: int = 32, outlier: float = 100.0, framework: str = "numpy"
) -> Any:
    """Arrays of shape (tokens, channels) of small numbers with planted outliers: channels ``outlier`` times as large in every token, and
    one massive element."""
    f = format_of(dtype)
    tokens, channels = draw(st.integers(1, max_tokens)), draw(st.integers(1, max_channels))
    small = st.floats(-3, 3)
    flat = draw(st.lists(small, min_size=tokens * channels, max_size=tokens * channels))
    x = np.array(flat, np.float64).reshape(tokens, channels)
    for _ in range(draw(st.integers(0, 2))):
        x[:, draw(st.integers(0, channels - 1))] *= outlier
    if draw(st.booleans()):
        x[draw(st.integers(0, tokens - 1)), draw(st.integers(0, channels - 1))] = outlier * outlier
    return _arrays(np.vectorize(f.round)(np.clip(x, -f.largest, f.largest)), f.name, framework)
