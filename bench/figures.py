"""Figures, their goals, and the tables that show them."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value; without a goal it is there for reference."""

    name: str
    value: float
    unit: str = "x"
    at_least: float | None = None
    at_most: float | None = None

    @property
    def goal(self) -> str:
        """The goal in words, or a hyphen."""
        if self.at_least is not None:
            return f"≥ {_number(self.at_least)} {self.unit}".strip()
        if self.at_most is not None:
            return f"≤ {_number(self.at_most)} {self.unit}".strip()
        return "-"

    @property
    def is_reached(self) -> bool | None:
        """Whether the value keeps to the goal; None without one."""
        if self.at_least is not None:
            return self.value >= self.at_least
        if self.at_most is not None:
            return self.value <= self.at_most
        return None


@dataclass(slots=True)
class Report:
    """What a run has found so far."""

    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def table(self) -> str:
        """The figures as a Markdown table that is aligned for a terminal too."""
        verdict = {True: "yes", False: "**no**", None: ""}
        return _table(
            ("figure (bare Flask = 1)", "goal", "measured", "reached"),
            [
                (
                    figure.name,
                    figure.goal,
                    f"{_number(figure.value)} {figure.unit}".strip(),
                    verdict[figure.is_reached],
                )
                for figure in self.figures
            ],
        )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in [head, *rows]
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _number(value: float) -> str:
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 100 else f"{value:.1f}"
