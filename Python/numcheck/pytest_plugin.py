"""The fixture ``numcheck`` for pytest: ``def test_mine(numcheck): numcheck("softmax", mine, dtype="bf16")``."""
from __future__ import annotations

from typing import Any, Callable

import pytest

from ._report import Report
from ._verify import KernelWrong, verify


@pytest.fixture(name="numcheck")
def numcheck_fixture() -> Callable[..., Report]:
    """``numcheck.verify``, which fails the test where the kernel is wrong."""

    def check(operation: str, kernel: Callable[..., Any], **keywords: Any) -> Report:
        report = verify(operation, kernel, **keywords)
        if not report.passed:
            raise KernelWrong(report)
        return report

    return check
