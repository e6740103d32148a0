"""What the package promises, on kernels that are right and kernels that are not."""
import numpy as np
import pytest

import numcheck as nc

ml_dtypes = pytest.importorskip("ml_dtypes")


def softmax(x):
    f = x.astype(np.float32)
    e = np.exp(f - f.max(axis=-1, keepdims=True))
    return (e / e.sum(axis=-1, keepdims=True)).astype(x.dtype)


@pytest.mark.parametrize("dtype", ["f32", "f16", "bf16"])
def test_right_kernel(dtype):
    report = nc.verify("softmax", softmax, dtype=dtype, shape=(24, 100), scale=3, invariance=True)
    assert report.passed, report
    assert report.calls > 12 and report.max_ulp <= report.bound_ulp and report.plan
    assert set(report.invariance.values()) == {0}


def kinds(kernel, **more):
    return {f.kind for f in nc.verify("softmax", kernel, shape=(24, 100), **more).findings}


def test_changed_input():
    def kernel(x):
        x[...] = softmax(x)
        return x.copy()

    assert kinds(kernel) == {"input-changed"}


def test_overwritten_result():
    kept = {}

    def kernel(x):
        y = kept.setdefault(x.shape, np.empty_like(x))
        y[...] = softmax(x)
        return y

    assert kinds(kernel) == {"result-overwritten"}


def test_stale_results():
    kept = {}

    def kernel(x):
        key = (x.ctypes.data, x.shape)
        if key not in kept:
            kept[key] = (x, softmax(x))
        return kept[key][1].copy()

    assert "stale-results" in kinds(kernel)


def test_nan_is_not_stale():
    def kernel(x):
        y = np.full_like(x, np.nan)
        y[..., ::2] *= -1
        return y

    assert "stale-results" not in kinds(kernel)


def test_detects_the_distribution():
    """Right on numbers that are drawn as they usually are, and on no others."""
    def kernel(x):
        return softmax(x) if np.abs(x).mean() > 0.5 else np.zeros_like(x)

    assert kinds(kernel) == {"other-numbers"}


def test_no_maximum_subtracted():
    """Right on usual numbers; a kernel that says so is not asked about others."""
    def kernel(x):
        with np.errstate(all="ignore"):
            e = np.exp(x)
            return e / e.sum(axis=-1, keepdims=True)

    assert kinds(kernel) == {"large-numbers"}
    assert not nc.verify("softmax", kernel, shape=(8, 64), claims="algorithm=naive").findings


def test_strides():
    def kernel(x):
        return softmax(np.lib.stride_tricks.as_strided(x, x.shape, (x.shape[1] * x.itemsize, x.itemsize)))

    assert "strides" in kinds(kernel)


def test_later_calls():
    calls = [0]

    def kernel(x):
        calls[0] += 1
        return softmax(x) * np.float32(1 if calls[0] < 10 else 1.001)

    assert kinds(kernel) == {"later-calls"}


def test_odd_lengths():
    def kernel(x):
        if x.shape[1] % 4:
            raise ValueError("lengths are multiples of 4")
        return softmax(x)

    assert kinds(kernel) == {"exception"}


def test_wrong_results():
    def zeros(x):
        return np.zeros_like(x)

    def wrong_shape(x):
        return softmax(x)[:, :-1]

    def wrong_dtype(x):
        return softmax(x).astype(np.float64)

    report = nc.verify("softmax", zeros, shape=(8, 64))
    assert report.verdict == "bug" and report.wrong == 8 * 64 and not report.passed
    assert kinds(wrong_shape) == kinds(wrong_dtype) == {"results"}


def test_assert_accurate():
    x = np.random.default_rng(1).standard_normal((8, 100), dtype=np.float32)
    assert nc.assert_accurate("softmax", x, softmax(x)).wrong == 0
    with pytest.raises(AssertionError):
        nc.assert_accurate("softmax", x, softmax(x) * np.float32(1.001))
    with pytest.raises(nc.KernelWrong):
        nc.assert_accurate("softmax", x, softmax(x), max_ulp=0.1)


def test_reference():
    x = np.random.default_rng(2).standard_normal((8, 100), dtype=np.float32)
    exact = np.exp(x.astype(np.longdouble))
    exact /= exact.sum(axis=-1, keepdims=True)
    assert (nc.reference("softmax", x, dtype="f64") == pytest.approx(exact.astype(float), rel=1e-15))
    rounded = nc.reference("softmax", x, dtype="bf16")
    assert rounded.dtype == ml_dtypes.bfloat16
    assert nc.judge("softmax", x, rounded).max_ulp <= 0.5
    q = np.random.default_rng(3).standard_normal((2, 5, 8), dtype=np.float32)
    o, lse = nc.reference("attention", {"q": q, "k": q, "v": q}, options={"causal": True})
    assert o.shape == q.shape and lse.shape == (2, 5)
    assert (o[:, 0] == q[:, 0]).all()


@pytest.mark.parametrize("dtype", ["f64", "f32", "f16", "bf16", "f8e4m3fn", "f8e5m2", "f8e4m3fnuz"])
def test_codes_come_back(dtype):
    from numcheck._arrays import array, codes, rounded, same_bits

    c = rounded(np.array([[0.0, -0.0, 1.5], [-2.0, 0.125, 96.0]]), dtype)
    assert same_bits(codes(array(c)), c)
    assert (np.asarray(array(c), np.float64) == [[0, 0, 1.5], [-2, 0.125, 96]]).all()


def test_bf16_rounds_once():
    from numcheck._arrays import rounded

    x = np.random.default_rng(4).standard_normal(1 << 16) * 2.0 ** np.random.default_rng(5).integers(-20, 20, 1 << 16)
    # Just above and below halves, where rounding to f32 first would lose the side.
    halves = (rounded(x, "bf16").codes.astype(np.uint32) << 16 | 0x8000).view(np.float32).astype(np.float64)
    x = np.concatenate([x, halves, np.nextafter(halves, np.inf), np.nextafter(halves, -np.inf)])
    got = (rounded(x, "bf16").codes.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    spacing = 2.0 ** (np.floor(np.log2(np.abs(x))) - 7)
    assert (np.abs(got - x) <= spacing / 2).all()


def test_torch():
    torch = pytest.importorskip("torch")
    report = nc.verify("softmax", lambda x: torch.softmax(x, -1), dtype="bf16", shape=(16, 100), framework="torch")
    assert report.passed, report
    x = torch.randn(4, 9).to(torch.bfloat16)
    assert nc.reference("softmax", x, dtype="bf16", framework="torch").dtype == torch.bfloat16


def test_jax():
    jax = pytest.importorskip("jax")
    report = nc.verify("softmax", jax.nn.softmax, dtype="f32", shape=(16, 100), framework="jax")
    assert report.passed, report


def test_refusals():
    with pytest.raises(ValueError):
        nc.verify("softmax", softmax, dtype="f31")
    with pytest.raises(ValueError):
        nc.verify("softmin", softmax)
    with pytest.raises(nc.NumcheckError):
        nc.judge("softmax", np.ones((2, 3), np.float32), np.ones((2, 4), np.float32))


def test_fixture(numcheck):
    assert numcheck("softmax", softmax, shape=(8, 64)).passed
    with pytest.raises(AssertionError):
        numcheck("softmax", np.zeros_like, shape=(8, 64))


def turned(x, positions, base=1e4, pairs="half"):
    f, d = x.astype(np.float64), x.shape[1]
    a = positions[:, None] / base ** (np.arange(0, d, 2) / d)
    c, s = np.cos(a), np.sin(a)
    first, second = (slice(d // 2), slice(d // 2, None)) if pairs == "half" else (slice(0, None, 2), slice(1, None, 2))
    y = np.empty_like(f)
    y[:, first], y[:, second] = f[:, first] * c - f[:, second] * s, f[:, second] * c + f[:, first] * s
    return y.astype(x.dtype)


@pytest.mark.parametrize("dtype", ["f32", "bf16"])
def test_around_attention(dtype):
    def linear(q, k, v):
        phi = lambda t: np.where(t > 0, t + 1, np.exp(t))  # noqa: E731
        w = np.tril(phi(q.astype(np.float64)) @ phi(k.astype(np.float64)).T)
        return (w @ v.astype(np.float64) / w.sum(axis=1, keepdims=True)).astype(q.dtype)

    def sigmoids(q, k, v):
        z = q.astype(np.float64) @ k.astype(np.float64).T / np.sqrt(q.shape[1]) - np.log(len(k))
        return (1 / (1 + np.exp(-z)) @ v.astype(np.float64)).astype(q.dtype)

    for operation, kernel in [("rope", turned), ("linear-attention", linear), ("sigmoid-attention", sigmoids)]:
        report = nc.verify(operation, kernel, dtype=dtype, shape=(12, 16))
        assert report.passed and report.max_ulp <= 0.501, (operation, report)
    wrong = nc.verify("rope", lambda x, p: turned(x, p + 1), dtype=dtype, shape=(12, 16), hygiene=False)
    assert not wrong.passed and "positions one too high" in str(wrong)
    wrong = nc.verify("rope", lambda x, p: turned(x, p, pairs="interleaved"), dtype=dtype, shape=(12, 16), hygiene=False)
    assert not wrong.passed and "interleaved pairs in place of half" in str(wrong)


@pytest.mark.parametrize("form", ["probabilities", "logits", "mask"])
def test_samplers(form):
    def sampled(x, edge=0):
        y = np.empty(x.shape)
        for row, out in zip(x.astype(np.float64), y):
            order = np.lexsort((np.arange(len(row)), -row))[:20]
            p = np.exp(row[order] - row[order[0]])
            kept = order[: max(1, int((np.cumsum(p) - p < 0.8 * p.sum()).sum()) + edge)]
            out[:] = -np.inf if form == "logits" else 0
            out[kept] = {"probabilities": np.exp(row[kept]) / np.exp(row[kept]).sum(), "logits": row[kept], "mask": 1}[form]
        return y.astype(np.float32)

    asked = {"shape": (12, 50), "options": {"top_k": 20, "top_p": 0.8, "as": form}}
    assert (report := nc.verify("sample", sampled, **asked)).passed, report
    for edge, name in [(1, "top-p keeps one too many"), (-1, "top-p leaves out the token that reaches p")]:
        wrong = nc.verify("sample", lambda x: sampled(x, edge), hygiene=False, **asked)
        assert not wrong.passed and name in str(wrong), wrong


def test_biases_and_sines():
    heads = lambda d: -d[:, None] * 2.0 ** (-8 * np.arange(1, 9) / 8)  # noqa: E731
    report = nc.verify("alibi", lambda d: heads(d).astype(np.float32), shape=(20, 8))
    assert report.passed, report
    positions = np.arange(40)
    y = nc.reference("sinusoidal", {"positions": positions}, dtype="f64", options={"length": 4})
    assert np.abs(y[:, 0] - np.sin(positions)).max() < 1e-15 and y.shape == (40, 4)


def _backward(q, k, v, do, level=True):
    f = [x.astype(np.float32) for x in (q, k, v, do)]
    scale = np.float32(1 / np.sqrt(q.shape[-1]))
    s = f[0] @ f[1].transpose(0, 2, 1) * scale
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    dp = f[3] @ f[2].transpose(0, 2, 1)
    ds = p * (dp - ((p * dp).sum(axis=-1, keepdims=True) if level else 0)) * scale
    made = ds @ f[1], ds.transpose(0, 2, 1) @ f[0], p.transpose(0, 2, 1) @ f[3]
    return tuple(x.astype(q.dtype) for x in made)


def test_gradients_of_attention():
    right = nc.verify("attention_backward", _backward, shape=(2, 12, 8))
    assert right.passed, right
    wrong = nc.verify("attention_backward", lambda *x: _backward(*x, level=False), shape=(2, 12, 8))
    assert not wrong.passed and "D left out" in str(wrong.json)
    few = nc.verify("attention_backward", lambda *x: _backward(*x)[0], shape=(2, 12, 8))
    assert not few.passed and "1 results, not 3" in str(few)
    random = np.random.default_rng(1)
    given = {n: random.standard_normal((2, 6, 4)).astype(np.float32) for n in ("q", "k", "v", "do")}
    proven = nc.reference("attention_backward", given)
    assert nc.judge("attention_backward", given, proven).passed
