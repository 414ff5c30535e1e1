"""The flow of people between two dates, as SVG: who was where before, where they are now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.report_page import svg
from jobs.report_page.charts import NAME_HEIGHT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup


@dataclass(frozen=True, kw_only=True)
class Block:
    """A group on both sides of a flow: its code in the moves, its name before and after, its class."""

    code: str
    before: str
    after: str
    kind: str


def flow(blocks: Sequence[Block], moves: dict[tuple[str, str], int], *, label: str, width: int = 520, height: int = 300) -> Markup:
    """Who moved between two dates: blocks left (before) and right (after), ribbons between them.

    moves: (before, after) -> customers. Those who stay are drawn pale, so that the moves stand out.
    """
    gap, thick, top = 10, 14, 14
    total = sum(moves.values()) or 1
    counts = [[sum(n for pair, n in moves.items() if pair[side] == block.code) for side in (0, 1)] for block in blocks]
    room = height - 2 * top - gap * (len(blocks) - 1)
    named = [(f"{block.before} {pair[0]:,}", _after(block, *pair)) for block, pair in zip(blocks, counts, strict=True)]
    left = 10 + max(svg.width_of(text) for text, _ in named)
    right = width - 24 - max(svg.width_of(text) for _, text in named)
    starts = _stack([[count / total * room for count in pair] for pair in counts], top=top, gap=gap)
    shapes = _ribbons(
        blocks, moves, dict(zip([b.code for b in blocks], starts, strict=True)), x1=left + thick, x2=right, scale=room / total
    )
    for side, x, at, anchor in ((0, left, left - 6, "end"), (1, right, right + thick + 6, "start")):
        shown = [
            (block.kind, texts[side], ys[side], max(pair[side] / total * room, 1))
            for block, pair, texts, ys in zip(blocks, counts, named, starts, strict=True) if pair[side]
        ]  # fmt: skip
        shapes += [svg.rect(x, y, thick, size, kind=kind) for kind, _, y, size in shown]
        baselines = _apart([y + size / 2 + 4 for _, _, y, size in shown], lowest=height - 4)
        shapes += [svg.text(at, y, text, kind="note", anchor=anchor) for (_, text, _, _), y in zip(shown, baselines, strict=True)]
    return svg.picture(width, height, label, *shapes)


def _apart(baselines: Sequence[float], *, lowest: float) -> list[float]:
    """Where names stand so that none covers another: pushed down by the one above, and back up from the end of the picture."""
    placed: list[float] = []
    for wanted in baselines:
        placed.append(max(wanted, placed[-1] + NAME_HEIGHT) if placed else wanted)
    for n in reversed(range(len(placed))):
        placed[n] = min(placed[n], lowest)
        lowest = placed[n] - NAME_HEIGHT
    return placed


def _after(block: Block, before: int, after: int) -> str:
    """The right side repeats no name: the count and by how much it changed."""
    change = f" ({after - before:+,})" if before and after != before else ""
    return f"{after:,}{change}" if block.after == block.before else f"{block.after} {after:,}"


def _ribbons(
    blocks: Sequence[Block],
    moves: dict[tuple[str, str], int],
    starts: dict[str, tuple[float, float]],
    *,
    x1: float,
    x2: float,
    scale: float,
) -> list[Markup]:
    """A ribbon per pair, each starting where the one before it ended; thin ones stay visible."""
    reached = {code: list(ends) for code, ends in starts.items()}
    shapes = []
    for before, after in [(a, b) for a in blocks for b in blocks if moves.get((a.code, b.code))]:
        count = moves[before.code, after.code]
        kind = "stay" if before.code == after.code else "move"
        y1, y2 = reached[before.code][0], reached[after.code][1]
        tip = f"{before.before} → {after.after}: {count:,}"
        shapes.append(_ribbon(x1, y1, x2, y2, max(count * scale, 1.2), kind=f"{kind} {before.kind}", tip=tip))
        reached[before.code][0] += count * scale
        reached[after.code][1] += count * scale
    return shapes


def _stack(sizes: Sequence[Sequence[float]], *, top: float, gap: float) -> list[tuple[float, float]]:
    """Where each block starts, left and right."""
    found, left, right = [], top, top
    for before, after in sizes:
        found.append((left, right))
        left, right = left + before + (gap if before else 0), right + after + (gap if after else 0)
    return found


def _ribbon(x1: float, y1: float, x2: float, y2: float, size: float, *, kind: str, tip: str) -> Markup:
    middle = (x1 + x2) / 2
    upper = f"M{x1:.1f},{y1:.1f}C{middle:.1f},{y1:.1f} {middle:.1f},{y2:.1f} {x2:.1f},{y2:.1f}"
    lower = f"L{x2:.1f},{y2 + size:.1f}C{middle:.1f},{y2 + size:.1f} {middle:.1f},{y1 + size:.1f} {x1:.1f},{y1 + size:.1f}Z"
    return svg.path(upper + lower, kind=f"ribbon {kind}", tip=tip)
