"""What the strategies draw: numbers of the format and class that they say, in every format."""
import math

import numpy as np
import pytest

pytest.importorskip("hypothesis")
ml_dtypes = pytest.importorskip("ml_dtypes")

from hypothesis import HealthCheck, find, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

import numcheck.strategies as ns  # noqa: E402
from numcheck._arrays import rounded  # noqa: E402

DTYPES = ["f64", "f32", "f16", "bf16", "f8e4m3fn", "f8e5m2", "f8e4m3fnuz", "f8e5m2fnuz", "f8e3m4"]
TYPES = {
    "f64": np.float64, "f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16, "f8e4m3fn": ml_dtypes.float8_e4m3fn,
    "f8e5m2": ml_dtypes.float8_e5m2, "f8e4m3fnuz": ml_dtypes.float8_e4m3fnuz, "f8e5m2fnuz": ml_dtypes.float8_e5m2fnuz,
    "f8e3m4": ml_dtypes.float8_e3m4,
}


def is_number(x, dtype):
    """An independent look: numpy's and ml_dtypes' own rounding leaves it as it is."""
    y = float(np.array(x, np.float64).astype(TYPES[dtype]).astype(np.float64))
    return x == y or math.isnan(x) and math.isnan(y)


@pytest.mark.parametrize("dtype", DTYPES)
def test_records(dtype):
    f = ns.format_of(dtype)
    info = ml_dtypes.finfo(TYPES[dtype])
    assert (f.largest, f.smallest_normal, f.smallest) == tuple(
        float(x) for x in (info.max, info.smallest_normal, info.smallest_subnormal))
    x = 0.0
    for _ in range(300):
        y = f.stepped(x, 1)
        assert is_number(y, dtype) and (y > x or x == f.largest) and (f.stepped(y, -1) == x or y == x)
        assert f.round(x + (y - x) * 0.25) == x
        x = y


@pytest.mark.parametrize("dtype", DTYPES)
def test_classes(dtype):
    f = ns.format_of(dtype)

    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def draws(data):
        x = data.draw(ns.finite(dtype))
        assert math.isfinite(x) and is_number(x, dtype)
        x = data.draw(ns.normal(dtype))
        assert is_number(x, dtype) and f.smallest_normal <= abs(x) <= f.largest
        x = data.draw(ns.subnormal(dtype))
        assert is_number(x, dtype) and 0 < abs(x) < f.smallest_normal
        assert data.draw(ns.zero(dtype)) == 0
        if f.has_infinity:
            assert math.isinf(data.draw(ns.infinite(dtype)))
        x = data.draw(ns.log_uniform(dtype, 0.25, 4))
        assert is_number(x, dtype) and 0.25 <= abs(x) <= 4
        x = data.draw(ns.near(dtype, [1.0], ulps=1))
        assert x in (f.stepped(1, -1), 1, f.stepped(1, 1))
        x = data.draw(ns.finite(dtype, min_value=-2.1, max_value=3.3))
        assert is_number(x, dtype) and -2.1 <= x <= 3.3

    draws()


@pytest.mark.parametrize("wide, narrow", [("f32", "bf16"), ("f64", "f16"), ("f16", "f8e5m2"), ("bf16", "f8e4m3fn")])
def test_midpoints(wide, narrow):
    f = ns.format_of(wide)

    @settings(max_examples=60, deadline=None)
    @given(ns.midpoints(wide, narrow, ulps=0))
    def draws(x):
        def to(y):
            return float(np.array(y, np.float64).astype(TYPES[narrow]).astype(np.float64))

        low, high = to(f.stepped(x, -1)), to(f.stepped(x, 1))
        assert low < x < high and x - low == high - x

    draws()


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows(dtype):
    @settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(ns.rows(dtype, max_size=40, limit=100))
    def draws(x):
        assert x.dtype == TYPES[dtype] and x.shape[0] == 1 and 1 <= x.shape[1] <= 40
        y = x.astype(np.float64)
        finite = np.isfinite(y)
        assert finite.any() and (abs(y[finite]) <= 100).all() and (y[~finite] == -np.inf).all()

    draws()


def test_shrinking():
    small = settings(max_examples=600, deadline=None)
    x = find(ns.rows("f32"), lambda x: x.shape[1] >= 3, settings=small)
    assert x.tolist() == [[0, 0, 0]]
    x = find(ns.rows("bf16"), lambda x: x.astype(np.float64).max() > 50, settings=small).astype(np.float64)
    assert x.shape == (1, 1) and x[0, 0] > 50
    assert find(ns.finite("f16"), lambda x: x > 7.5, settings=small) == 8


def test_tensors():
    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(ns.masks(), ns.matrices("f16", max_columns=5), ns.outliers("bf16", max_tokens=4, max_channels=6), ns.vectors("f8e5m2"))
    def draws(mask, matrix, tensor, vector):
        assert mask.dtype == bool and mask.ndim == 2
        assert matrix.dtype == np.float16 and 1 <= matrix.shape[1] <= 5
        assert tensor.dtype == ml_dtypes.bfloat16 and np.isfinite(tensor.astype(np.float32)).all()
        assert vector.dtype == ml_dtypes.float8_e5m2

    draws()
    wide = settings(max_examples=600, deadline=None)
    assert find(ns.outliers("f32"), lambda x: abs(x).max() >= 1e4, settings=wide).size >= 1
    assert not find(ns.masks(), lambda m: not m.any(axis=1).all(), settings=wide).all()


def test_rubbish():
    for make in [
        lambda: ns.finite("int8"), lambda: ns.finite("f17"), lambda: ns.midpoints("bf16", "f32"), lambda: ns.log_uniform("f16", -1, 1),
        lambda: ns.log_uniform("f16", 3, 2), lambda: ns.finite("f16", min_value=3, max_value=2),
        lambda: ns.rows("f32", families=["nothing"]).example(), lambda: ns.rows("f32", families=[]).example(),
    ]:
        with pytest.raises(ValueError):
            make()


def test_numbers_are_rounded_as_arrays_are():
    @settings(max_examples=60, deadline=None)
    @given(st.floats(-1e5, 1e5))
    def draws(x):
        for dtype in ["f16", "bf16", "f8e5m2"]:
            f = ns.format_of(dtype)
            if abs(x) < f.largest:
                y = rounded(np.array([x]), dtype).codes.view(TYPES[dtype]).astype(np.float64)[0]
                assert f.round(x) == y

    draws()
