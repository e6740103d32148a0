"""What the command found, as an object."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Finding:
    """Something to be known beside the figures: its kind (``stale-results``) and what there is to say."""

    kind: str
    message: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


@dataclass
class Report:
    """A verdict on a kernel's results.

    ``passed`` is whether every result is one that a right kernel may give and nothing else was found. ``json`` is the command's
    whole report (schema ``numcheck/2``).
    """

    json: dict[str, Any]
    findings: list[Finding] = field(default_factory=list)
    invariance: dict[str, int | None] = field(default_factory=dict)
    calls: int = 0

    @property
    def results(self) -> list[dict[str, Any]]:
        """One for each part of the operation's results."""
        return list(self.json.get("results", []))

    @property
    def passed(self) -> bool:
        return not self.findings and self.json.get("status") == "ok"

    @property
    def verdict(self) -> str:
        """``bug`` where any part is wrong, else the first part's."""
        verdicts = [r.get("verdict", "") for r in self.results]
        return "bug" if "bug" in verdicts else (verdicts[0] if verdicts else "")

    @property
    def wrong(self) -> int:
        """Results that no right kernel gives."""
        return sum(int(r.get("aboveBound") or 0) for r in self.results)

    @property
    def max_ulp(self) -> float:
        """The largest error, in ulps of the results' format; NaN where there is none."""
        sizes = [float(u) for r in self.results if (u := (r.get("ulp") or {}).get("max")) is not None]
        return max(sizes, default=float("nan"))

    @property
    def mean_ulp(self) -> float:
        """The mean error of the first part, in ulps; NaN where there is none."""
        mean = (self.results[0].get("ulp") or {}).get("mean") if self.results else None
        return float("nan") if mean is None else float(mean)

    @property
    def bound_ulp(self) -> float:
        """What a right kernel may err by at most, in ulps; NaN where no bound is derived."""
        bounds = [float(u) for r in self.results if (u := (r.get("bound") or {}).get("ulp")) is not None]
        return max(bounds, default=float("nan"))

    @property
    def plan(self) -> str:
        """The plan of the smallest bound that the figures fit; empty where there is none."""
        fitting = [p for p in self.json.get("plans", []) if p.get("fits")]
        best = min(fitting, key=lambda p: float((p.get("bound") or {}).get("ulp") or "inf"), default=None)
        return best["plan"] if best else ""

    @property
    def plan_bound_ulp(self) -> float:
        """The bound of ``plan``, in ulps."""
        fitting = [float(p["bound"]["ulp"]) for p in self.json.get("plans", []) if p.get("fits")]
        return min(fitting, default=float("nan"))

    @property
    def hypotheses(self) -> list[str]:
        """What the kernel seems to have got wrong, by name; empty where nothing is, or nothing fits."""
        names: list[str] = []
        for r in self.results:
            for h in r.get("hypotheses") or []:
                if h.get("name"):
                    names.append(h["name"])
        return names

    def __str__(self) -> str:
        lines = [str(f) for f in self.findings]
        if self.json.get("conclusion"):
            conclusion = str(self.json["conclusion"])
            if self.findings and self.verdict != "bug":
                conclusion = f"wrong beside its numbers, as said below; of these: {conclusion}"
            elif not self.findings and self.json.get("status") == "unchecked":
                conclusion += "; not passed, for some rows have no bound"
            lines.insert(0, conclusion)
        for w in (self.json.get("wrong") or [])[:3]:
            lines.append(f"  row {w.get('row')}, index {w.get('index')}: {_shown(w.get('computed'))}, exact {_shown(w.get('exact'))}")
        return "\n".join(lines)


def _shown(value: Any) -> str:
    """A number of a report, which may be spelled in several ways."""
    return str(value.get("decimal", value) if isinstance(value, dict) else value)
