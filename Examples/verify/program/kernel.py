"""Softmax or attention as a program that reads and writes files, and the same with one of the usual mistakes.

    numcheck verify softmax --exec 'python3 kernel.py softmax {results} {input}'
    numcheck verify attention --causal --exec 'python3 kernel.py attention {results} {q} {k} {v}'
"""
import argparse

import numpy as np


def softmax(x, mistake):
    top = 0 if mistake == "no-shift" else x.max(axis=-1, keepdims=True)
    e = np.exp(x - top)
    end = e.shape[-1] // 8 * 8 if mistake == "lost-tail" else e.shape[-1]
    total = e[..., :end].sum(axis=-1, keepdims=True)
    if mistake == "f16-accumulator":
        # numpy sums pairwise; a plain loop is what a kernel has.
        total = np.zeros_like(total, np.float16)
        for i in range(e.shape[-1]):
            total += e[..., i : i + 1].astype(np.float16)
        total = total.astype(np.float32)
    y = e / total
    if mistake == "lost-tail":
        y[..., end:] = 0
    if mistake == "all-zeros":
        y = np.zeros_like(y)
    return y


def attention(q, k, v, scale, causal, mistake):
    h, n, _ = q.shape
    hkv, m, _ = k.shape
    heads = np.arange(h) % hkv if mistake == "kv-modulo" else np.arange(h) * hkv // h
    s = (q @ k[heads].transpose(0, 2, 1)) * np.float32(scale)
    if causal:
        diagonal = 0 if mistake == "top-left" else m - n
        hidden = ~np.tri(n, m, diagonal, dtype=bool)
        s = np.where(hidden, np.float32(-1e4 if mistake == "sentinel" else -np.inf), s)
    return softmax(s, mistake) @ v[heads]


def main(arguments=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("operation", choices=["softmax", "attention"])
    parser.add_argument("results")
    parser.add_argument("inputs", nargs="+")
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--causal", type=int, default=0)
    parser.add_argument("--mistake", default="")
    a = parser.parse_args(arguments)
    arrays = [np.load(f) for f in a.inputs]
    if a.operation == "softmax":
        y = softmax(arrays[0], a.mistake)
    else:
        y = attention(*arrays, a.scale, a.causal, a.mistake)
    np.save(open(a.results, "wb"), np.ascontiguousarray(y, np.float32))


if __name__ == "__main__":
    main()
