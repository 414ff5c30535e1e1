"""Chart kinds of the report: values in, SVG out. No chart knows what its numbers mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from jobs.report_page import svg
from jobs.report_page.svg import Scale

Format = Callable[[float], str]

NAME_HEIGHT = 13.0  # names of thin things stand apart by this much
BASELINE, BAR_ROOM = 4.0, 4.0  # a count stands this much above its bar, and apart from the next


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One horizontal bar: its label, parts as (value, class, tip), and the text at its end."""

    label: str
    parts: Sequence[tuple[float, str, str]]
    note: str = ""

    @property
    def total(self) -> float:
        return sum(value for value, _, _ in self.parts)


def bars(rows: Sequence[Bar], *, label: str, width: int = 500) -> Markup:
    """Horizontal bars, stacked by parts, all on one scale; labels and notes get the room that they need."""
    row_height, top = 24, 4
    label_width = 12 + max((svg.width_of(row.label) for row in rows), default=0)
    note_width = 12 + max((svg.width_of(row.note) for row in rows), default=0)
    width = max(width, round(label_width + note_width + 100))
    longest = max((row.total for row in rows), default=0) or 1
    scale = Scale(low=0, high=longest, start=label_width, end=width - note_width)
    shapes: list[Markup] = []
    for n, row in enumerate(rows):
        y = top + n * row_height
        shapes.append(svg.text(label_width - 8, y + 15, row.label, kind="label", anchor="end"))
        reached = 0.0
        for value, kind, tip in row.parts:
            left, right = scale(reached), scale(reached + value)
            shapes.append(svg.rect(left, y + 3, max(right - left, 1.5 if value else 0), row_height - 8, kind=kind, tip=tip, radius=2))
            reached += value
        shapes.append(svg.text(scale(reached) + 6, y + 15, row.note, kind="note"))
    return svg.picture(width, top * 2 + row_height * len(rows), label, *shapes)


@dataclass(frozen=True, kw_only=True)
class Line:
    """A curve: points (x, y), class, and its name in the legend."""

    name: str
    points: Sequence[tuple[float, float]]
    kind: str
    dots: bool = False


def curves(
    lines: Sequence[Line], *, label: str, x_name: str, y_name: str, x_format: Format, y_format: Format, width: int = 300, height: int = 250,
    x_top: float | None = None, y_top: float | None = None, y_low: float = 0.0, x_low: float = 0.0,
) -> Markup:  # fmt: skip
    """Curves over two linear axes that start at 0 unless told otherwise, with a legend on top."""
    points = [point for curve in lines for point in curve.points]
    right = x_top if x_top is not None else svg.nice_top(max((x for x, _ in points), default=1))
    top = y_top if y_top is not None else svg.nice_top(max((y for _, y in points), default=1))
    x = Scale(low=x_low, high=right, start=48, end=width - 22)
    y = Scale(low=y_low, high=top, start=height - 38, end=30)
    shapes = [
        *_grid(x, y, x_format, y_format),
        svg.text((x.start + x.end) / 2, height - 4, x_name, kind="axis", anchor="middle"),
        svg.text(6, 20, y_name, kind="axis"),
    ]
    for curve in lines:
        placed = [(x(a), y(b)) for a, b in curve.points]
        shapes.append(svg.path(svg.polyline(placed), kind=f"line {curve.kind}"))
        if curve.dots:
            shapes += [
                svg.circle(a, b, 3, kind=f"dot {curve.kind}", tip=f"{x_format(p)} · {y_format(q)}")
                for (a, b), (p, q) in zip(placed, curve.points, strict=True)
            ]
    return svg.picture(width, height, label, *shapes)


def _grid(x: Scale, y: Scale, x_format: Format, y_format: Format) -> list[Markup]:
    shapes = []
    for tick in svg.ticks(y.low, y.high):
        shapes += [
            svg.line(x.start, y(tick), x.end, y(tick), kind="grid"),
            svg.text(x.start - 6, y(tick) + 4, y_format(tick), kind="tick", anchor="end"),
        ]
    shapes += [svg.text(x(tick), y.start + 15, x_format(tick), kind="tick", anchor="middle") for tick in svg.ticks(x.low, x.high)]
    return [*shapes, svg.line(x.start, y.start, x.end, y.start, kind="base")]


def columns(
    values: Sequence[tuple[str, float, float]], *, label: str, width: int = 300, height: int = 110, first: str = "", last: str = ""
) -> Markup:
    """Thin upright columns over time: (date, value, part of it that is marked). Ends of the time axis are named."""
    top = svg.nice_top(max((value for _, value, _ in values), default=1))
    y = Scale(low=0, high=top, start=height - 18, end=12)
    left, right = 44, width - 6
    step = (right - left) / max(len(values), 1)
    thick = max(min(step - 1, 26), 1)
    shapes = [svg.text(left - 6, y(tick) + 4, svg.number(tick), kind="tick", anchor="end") for tick in (0, top)]
    shapes.append(svg.line(left, y(top), right, y(top), kind="grid"))
    for n, (day, value, marked) in enumerate(values):
        x = left + n * step + (step - thick) / 2
        tip = f"{day}: {value:,.0f}" + (f", {marked:,.0f} set aside" if marked else "")
        shapes.append(svg.rect(x, y(value), thick, y.start - y(value), kind="c1", tip=tip))
        if marked:
            shapes.append(svg.circle(x + thick / 2, max(y(value) - 5, 5), 3, kind="bad", tip=tip))
    shapes.append(svg.line(left, y.start, right, y.start, kind="base"))
    shapes += [svg.text(left, height - 4, first, kind="tick"), svg.text(right, height - 4, last, kind="tick", anchor="end")]
    return svg.picture(width, height, label, *shapes)


def shares(
    dates: Sequence[str], series: Sequence[tuple[str, Sequence[float], str]], *, label: str, width: int = 500, height: int = 200
) -> Markup:
    """Stacked shares over time, 0 to 100 %: (name, one value a date, class), drawn from the top down. Names stand at the right end."""
    totals = [sum(values[n] for _, values, _ in series) or 1.0 for n in range(len(dates))]
    room = 16 + max((svg.width_of(f"{name} 100%") for name, _, _ in series), default=0)
    x = Scale(low=0, high=max(len(dates) - 1, 1), start=40, end=width - room)
    y = Scale(low=0, high=1, start=height - 20, end=8)
    below = [0.0] * len(dates)
    shapes = []
    lowest_free = float(height)
    for name, values, kind in reversed(series):
        above = [base + value / total for base, value, total in zip(below, values, totals, strict=True)]
        edge = [(x(n), y(value)) for n, value in enumerate(above)] + [(x(n), y(below[n])) for n in reversed(range(len(dates)))]
        shapes.append(svg.path(svg.polyline(edge) + "Z", kind=f"area {kind}", tip=name))
        middle, size = (above[-1] + below[-1]) / 2, above[-1] - below[-1]
        if size >= 0.035:
            at = min(y(middle) + 4, lowest_free)
            shapes.append(svg.text(x.end + 8, at, f"{name} {svg.percent(size)}", kind="note"))
            lowest_free = at - NAME_HEIGHT
        below = above
    shapes += [svg.text(34, y(share) + 4, svg.percent(share), kind="tick", anchor="end") for share in (0, 0.5, 1)]
    shapes += [svg.text(40, height - 4, dates[0], kind="tick"), svg.text(x.end, height - 4, dates[-1], kind="tick", anchor="end")]
    return svg.picture(width, height, label, *shapes)


def histogram(
    counts: Sequence[int], *, label: str, x_name: str, x_format: Format, high: float, width: int = 500, height: int = 230
) -> Markup:
    """Equally wide bins from 0 to `high`; the height is the square root of the count, so that rare bins can be seen."""
    top = max(counts, default=1) ** 0.5 or 1.0
    x, y = Scale(low=0, high=len(counts), start=44, end=width - 22), Scale(low=0, high=top, start=height - 36, end=18)
    shapes = []
    for n, count in enumerate(counts):
        tip = f"{x_format(high * n / len(counts))} to {x_format(high * (n + 1) / len(counts))}: {count:,}"
        shapes.append(svg.rect(x(n) + 1, y(count**0.5), x(n + 1) - x(n) - 2, y.start - y(count**0.5), kind="c1", tip=tip, radius=1))
    shapes += _counts([(x(n) + x(n + 1)) / 2 for n in range(len(counts))], [y(count**0.5) for count in counts], counts)
    marks = Scale(low=0, high=high, start=x.start, end=x.end)
    shapes += [svg.text(marks(tick), y.start + 15, x_format(tick), kind="tick", anchor="middle") for tick in svg.ticks(0, high, wanted=6)]
    shapes += [
        svg.line(x.start, y.start, x.end, y.start, kind="base"),
        svg.text((x.start + x.end) / 2, height - 4, x_name, kind="axis", anchor="middle"),
    ]
    return svg.picture(width, height, label, *shapes)


def _counts(middles: Sequence[float], tops: Sequence[float], counts: Sequence[int]) -> list[Markup]:
    """Counts above their bars, left to right, where neither a bar nor the count before is in the way."""
    shapes: list[Markup] = []
    free = 0.0
    for middle, top, count in zip(middles, tops, counts, strict=True):
        half = svg.width_of(svg.number(count)) / 2
        beside = [other for at, other in zip(middles, tops, strict=True) if abs(at - middle) < half + BAR_ROOM]
        if count and middle - half >= free and top - BASELINE <= min(beside):
            shapes.append(svg.text(middle, top - BASELINE, svg.number(count), kind="tick", anchor="middle"))
            free = middle + half + BAR_ROOM
    return shapes
