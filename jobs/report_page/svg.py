"""The few shapes that charts are made of, as SVG text. Colours are classes, so that a page decides about light and dark."""

from __future__ import annotations

import math
from dataclasses import dataclass

from markupsafe import Markup, escape


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Linear map from values low..high to pixels start..end."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = (self.high - self.low) or 1.0
        return round(self.start + (value - self.low) / span * (self.end - self.start), 2)


def ticks(low: float, high: float, *, wanted: int = 4) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) that lie within low..high."""
    span = high - low
    if span <= 0:
        return [low]
    raw = span / wanted
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(nice * magnitude for nice in (1, 2, 5, 10) if nice * magnitude >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def nice_top(value: float) -> float:
    """The end of an axis that holds `value`: the next tick at or above it."""
    if value <= 0:
        return 1.0
    steps = ticks(0, value)
    step = steps[1] - steps[0] if len(steps) > 1 else value
    return math.ceil(value / step - 1e-9) * step


def number(value: float) -> str:
    """A count as people read it: 950, 12.3k, 4.1M."""
    size = abs(value)
    for limit, divisor, suffix in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if size >= limit:
            return f"{value / divisor:.1f}".rstrip("0").rstrip(".") + suffix
    return f"{value:,.0f}" if size >= 10 or value == int(value) else f"{value:.2g}"


def rows(count: int) -> str:
    """1 row, 1,234 rows."""
    return f"{count:,} {'row' if count == 1 else 'rows'}"


def percent(share: float, *, places: int = 0) -> str:
    return f"{100 * share:.{places}f}%"


def width_of(content: str) -> float:
    """Pixels that a text of 12 px takes at most: Chinese letters are square, others about half as wide."""
    return sum(12.2 if ord(letter) > 0x2E80 else 7.0 for letter in content)


def line(x1: float, y1: float, x2: float, y2: float, *, kind: str) -> Markup:
    return Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"/>').format(x1, y1, x2, y2, kind)


def rect(x: float, y: float, width: float, height: float, *, kind: str, tip: str = "", radius: float = 0) -> Markup:
    shape = Markup('<rect x="{}" y="{}" width="{}" height="{}" rx="{}" class="{}">').format(
        round(x, 2), round(y, 2), round(max(width, 0), 2), round(max(height, 0), 2), radius, kind
    )
    return shape + title(tip) + Markup("</rect>")


def circle(x: float, y: float, radius: float, *, kind: str, tip: str = "") -> Markup:
    return Markup('<circle cx="{}" cy="{}" r="{}" class="{}">').format(x, y, round(radius, 2), kind) + title(tip) + Markup("</circle>")


def text(x: float, y: float, content: str, *, kind: str = "", anchor: str = "start") -> Markup:
    return Markup('<text x="{}" y="{}" class="{}" text-anchor="{}">{}</text>').format(round(x, 2), round(y, 2), kind, anchor, content)


def path(commands: str, *, kind: str, tip: str = "") -> Markup:
    return Markup('<path d="{}" class="{}">').format(commands, kind) + title(tip) + Markup("</path>")


def title(tip: str) -> Markup:
    """Shown by browsers when the pointer rests on the shape."""
    return Markup("<title>{}</title>").format(tip) if tip else Markup()


def polyline(points: list[tuple[float, float]]) -> str:
    """Path commands through the points."""
    return "M" + "L".join(f"{round(x, 2)},{round(y, 2)}" for x, y in points) if points else ""


def picture(width: float, height: float, label: str, *shapes: Markup) -> Markup:
    """A whole picture; `label` is what a screen reader says."""
    head = Markup('<svg viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}">').format(
        round(width), round(height), round(width), round(height), escape(label)
    )
    return head + Markup().join(shapes) + Markup("</svg>")
