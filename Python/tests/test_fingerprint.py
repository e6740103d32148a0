"""How functions compute, of which it is known."""
import time

import numpy as np
import pytest

import numcheck as nc


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    total = np.zeros(x.shape[:-1] + (1,), np.float32)
    for k in range(x.shape[-1]):
        total = total + e[..., k : k + 1]
    return e / total


def lanes(x, count=16):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    total = np.zeros(x.shape[:-1] + (count,), np.float32)
    for k in range(0, x.shape[-1], count):
        total = total + e[..., k : k + count]
    while total.shape[-1] > 1:
        half = total.shape[-1] // 2
        total = total[..., :half] + total[..., half:]
    return e / total


def test_order_and_claims(tmp_path):
    start = time.time()
    kept = tmp_path / "kept.json"
    found = nc.fingerprint(
        "softmax", softmax, length=64, output=kept, claims="accumulate=f32,order=sequential,maximum=subtracted")
    assert found.passed and found["order"] == "sequential" and found["accumulate"] == "24 bits", found
    assert found.claims == {"accumulate=f32": True, "order=sequential": True, "maximum=subtracted": True}
    assert found.calls > 5 and time.time() - start < 60
    other = nc.fingerprint("softmax", lanes, length=64, against=kept)
    assert other["order"] == "lanes:16, then folded"
    assert "order changed from sequential to lanes:16, then folded" in str(other) and "bound kept" in str(other)
    refuted = nc.fingerprint("softmax", lanes, length=64, claims="order=lanes:8")
    assert not refuted.passed and refuted.claims == {"order=lanes:8": False}


def test_products():
    def matmul(a, b):
        total = np.zeros((a.shape[0], b.shape[1]), np.float32)
        for k in reversed(range(a.shape[1])):
            total = total + a[:, k : k + 1] * b[k]
        return total

    found = nc.fingerprint("matmul", matmul, length=32)
    assert found["order"] == "reversed" and found["accumulate"] == "24 bits"
    assert found["fma"] == "products rounded" and found["sum rounding"] == "nearest"


def test_what_a_kernel_refuses():
    def refuses(x):
        raise RuntimeError("not\ntoday")

    with pytest.raises(RuntimeError):
        nc.fingerprint("softmax", refuses)
    with pytest.raises(TypeError):
        nc.fingerprint("softmax", lambda x: x.astype(np.float64))
    with pytest.raises(ValueError):
        nc.fingerprint("sigmoid", softmax)
    with pytest.raises(nc.NumcheckError):
        nc.fingerprint("softmax", softmax, claims="speed=fast")
