"""Curves as PNG pictures, for the tracked run. The HTML report draws its own from the points."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobs.models.curves import Points

# Curve -> (x axis, y axis, what a model without knowledge would show: y as a function of the last x).
AXES = {
    "roc": ("false positive rate", "true positive rate", "diagonal"),
    "gain": ("share of customers", "share of value", "diagonal"),
    "lift": ("share of customers", "lift", "one"),
    "calibration": ("mean predicted", "mean observed", "diagonal"),
}


def drawn(curves: Mapping[str, Points], *, title: str) -> dict[str, bytes]:
    """File name -> PNG, one per curve."""
    return {f"{name}.png": _picture(name, points, title=title) for name, points in curves.items()}


def _picture(name: str, points: Points, *, title: str) -> bytes:
    # Figure without pyplot: no global state, no display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4), dpi=80, layout="tight")
    FigureCanvasAgg(figure)
    axes: Any = figure.add_subplot()
    x_title, y_title, reference = AXES[name]
    xs, ys = [point[0] for point in points], [point[1] for point in points]
    flat = reference == "one"
    ends = (min(xs), max(xs))
    axes.plot(ends, (1, 1) if flat else ends, color="#999999", linewidth=1, linestyle="--")
    axes.plot(xs, ys, color="#1f6f8b", linewidth=2, marker="o" if name == "calibration" else None)
    axes.set(xlabel=x_title, ylabel=y_title, title=f"{title}: {name}")
    content = io.BytesIO()
    # No software or date in the file: equal curves give equal bytes.
    figure.savefig(content, format="png", metadata={"Software": None})
    return content.getvalue()
