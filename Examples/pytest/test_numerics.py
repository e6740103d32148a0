"""Holds a Python softmax to the proven answers: pytest writes what it computes, numcheck judges it. Needs numpy and numcheck."""

import shutil
import subprocess

import numpy as np
import pytest

numcheck = shutil.which("numcheck")


def softmax(x):
    """The kernel under test."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@pytest.mark.skipif(numcheck is None, reason="numcheck is not installed")
@pytest.mark.parametrize("scale", [1, 10, 100])
def test_softmax_is_right(tmp_path, scale):
    x = (scale * np.random.default_rng(1).standard_normal((16, 64))).astype(np.float32)
    np.save(tmp_path / "logits.npy", x)
    np.save(tmp_path / "results.npy", softmax(x))
    (tmp_path / "numcheck.yml").write_text(
        "checks:\n  - name: softmax\n    run: verify softmax\n    input: logits.npy\n    results: results.npy\n"
        "    limit: verdict != bug\n"
    )
    done = subprocess.run([numcheck, "gate"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
