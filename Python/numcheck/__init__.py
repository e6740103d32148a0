"""How wrong low-precision numbers are, against the proven answer.

``verify`` calls a kernel of yours with generated arrays and holds every number that it gives against a proven answer;
``assert_accurate`` does so for results you have already; ``reference`` gives the correctly rounded results. All three drive the
``numcheck`` command, which the wheel carries. ``fingerprint`` finds how a kernel computes.
"""
from ._arrays import DTYPES
from ._binary import NumcheckError, binary, run
from ._fingerprint import Fingerprint, Trait, fingerprint
from ._report import Finding, Report
from ._verify import KernelWrong, assert_accurate, judge, reference, verify

__all__ = [
    "DTYPES", "Finding", "Fingerprint", "KernelWrong", "NumcheckError", "Report", "Trait", "assert_accurate", "binary",
    "fingerprint", "judge", "reference", "run", "verify",
]
__version__ = "0.1.0"
