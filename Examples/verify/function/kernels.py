"""Kernels as Python functions, right ones and twins with one of the usual mistakes; numcheck.verify calls them."""
import ml_dtypes
import numpy as np


def softmax(x):
    f = x.astype(np.float32)
    e = np.exp(f - f.max(axis=-1, keepdims=True))
    return (e / e.sum(axis=-1, keepdims=True)).astype(x.dtype)


def softmax_without_shift(x):
    with np.errstate(over="ignore", invalid="ignore"):
        e = np.exp(x.astype(np.float32))
        return (e / e.sum(axis=-1, keepdims=True)).astype(x.dtype)


def softmax_summed_in_f16(x):
    f = x.astype(np.float32)
    e = np.exp(f - f.max(axis=-1, keepdims=True))
    total = np.zeros(e.shape[:-1] + (1,), np.float16)
    for i in range(e.shape[-1]):
        total += e[..., i : i + 1].astype(np.float16)
    return (e / total.astype(np.float32)).astype(x.dtype)


def softmax_truncated(x):
    f = x.astype(np.float32)
    e = np.exp(f - f.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    return (p.view(np.uint32) >> np.uint32(16)).astype(np.uint16).view(ml_dtypes.bfloat16)


def softmax_without_tail(x):
    y = np.zeros_like(x)
    n = x.shape[-1] // 8 * 8
    y[..., :n] = softmax(x[..., :n])
    return y


def softmax_of_contiguous_rows(x):
    return softmax(np.lib.stride_tricks.as_strided(x, x.shape, (x.shape[1] * x.itemsize, x.itemsize)))


def zeros(x):
    return np.zeros_like(x)


def attention(q, k, v, heads=None, diagonal=None, hidden=-np.inf):
    h, n, d = q.shape
    m = k.shape[1]
    kv = np.arange(h) * k.shape[0] // h if heads is None else heads
    s = np.einsum("hid,hjd->hij", q.astype(np.float32), k.astype(np.float32)[kv]) / np.float32(np.sqrt(d))
    # The last query sees the last key.
    s = np.where(np.tri(n, m, m - n if diagonal is None else diagonal, dtype=bool), s, np.float32(hidden))
    return (softmax(s) @ v.astype(np.float32)[kv]).astype(q.dtype)


def attention_aligned_top_left(q, k, v):
    return attention(q, k, v, diagonal=0)


def attention_with_heads_by_modulo(q, k, v):
    return attention(q, k, v, heads=np.arange(q.shape[0]) % k.shape[0])


def attention_with_sentinel(q, k, v):
    return attention(q, k, v, hidden=-1e4)


def attention_backward(q, k, v, do, level=True, scaled=True, grouped=True):
    """dq, dk and dv in f32, D from the output as it would be stored, as FlashAttention has it."""
    h, n, d = q.shape
    m = k.shape[1]
    kv = np.arange(h) * k.shape[0] // h
    scale = np.float32(1 / np.sqrt(d))
    query, key, value, g = q.astype(np.float32), k.astype(np.float32)[kv], v.astype(np.float32)[kv], do.astype(np.float32)
    s = np.einsum("hid,hjd->hij", query, key) * scale
    s = np.where(np.tri(n, m, m - n, dtype=bool), s, np.float32(-np.inf))
    top = s.max(axis=-1, keepdims=True)
    lse = top + np.log(np.exp(s - top).sum(axis=-1, keepdims=True))
    p = np.exp(s - lse)
    o = (p @ value).astype(q.dtype).astype(np.float32)
    dp = np.einsum("hie,hje->hij", g, value)
    ds = p * (dp - ((g * o).sum(axis=-1, keepdims=True) if level else 0)) * (scale if scaled else np.float32(1))
    dq, dk, dv = ds @ key, ds.transpose(0, 2, 1) @ query, p.transpose(0, 2, 1) @ g
    # Query heads that share a key head add up.
    groups = (k.shape[0], -1)
    dk, dv = (x.reshape(*groups, *x.shape[1:])[:, None if grouped else slice(-1, None)].reshape(groups[0], -1, *x.shape[1:])
              for x in (dk, dv))
    return dq.astype(q.dtype), dk.sum(axis=1).astype(q.dtype), dv.sum(axis=1).astype(q.dtype)


def attention_backward_without_level(q, k, v, do):
    return attention_backward(q, k, v, do, level=False)


def attention_backward_not_scaled(q, k, v, do):
    return attention_backward(q, k, v, do, scaled=False)


def attention_backward_of_one_head(q, k, v, do):
    return attention_backward(q, k, v, do, grouped=False)
