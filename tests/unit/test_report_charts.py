"""The shapes of the report: scales, ticks, and pictures that are well-formed and hold what they were given."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree as ET

import pytest
from markupsafe import Markup

from jobs.report_page import charts, sankey, svg
from jobs.report_page.charts import Bar, Line
from jobs.report_page.sankey import Block

SVG = ET.Element


def _parsed(picture: Markup) -> SVG:
    return ET.fromstring(str(picture))


def _texts(picture: Markup) -> list[str]:
    return [node.text or "" for node in _parsed(picture).iter("text")]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 100, [0, 50, 100]),  # 100 / 4 = 25, the next round step is 50
        (0, 8, [0, 2, 4, 6, 8]),
        (0, 0.1, [0, 0.05, 0.1]),
        (-150, 400, [0, 200, 400]),
        (5, 5, [5]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert svg.ticks(low, high) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(0, "0"), (950, "950"), (9999, "9,999"), (12_345, "12.3k"), (4_100_000, "4.1M"), (0.25, "0.25")]
)
def test_numbers_as_people_read_them(value: float, expected: str) -> None:
    assert svg.number(value) == expected


def test_one_row_is_no_rows() -> None:
    assert [svg.rows(count) for count in (0, 1, 1234)] == ["0 rows", "1 row", "1,234 rows"]


def test_the_end_of_an_axis_holds_the_value() -> None:
    assert [svg.nice_top(value) for value in (0, 3, 99, 101)] == [1.0, 3, 100, 150]


def test_bars_share_one_scale_and_escape_names() -> None:
    """10 is drawn twice as long as 5."""
    picture = charts.bars(
        [Bar(label="<a & b>", parts=[(10, "c1", "ten")], note="10"), Bar(label="b", parts=[(5, "c1", "five")], note="5")], label="x"
    )
    first, second = [float(node.get("width", "0")) for node in _parsed(picture).iter("rect")]
    assert first == pytest.approx(2 * second, rel=0.01)
    assert _texts(picture)[0] == "<a & b>"


def test_a_small_part_stays_visible() -> None:
    picture = charts.bars([Bar(label="a", parts=[(1_000_000, "good", ""), (1, "bad", "one")])], label="x")
    assert [float(node.get("width", "0")) for node in _parsed(picture).iter("rect")][1] >= 1.5


def test_columns_mark_what_was_set_aside() -> None:
    picture = charts.columns([("2026-01-01", 10, 0), ("2026-01-02", 8, 2)], label="x")
    assert [node.findtext("title") for node in _parsed(picture).iter("circle")] == ["2026-01-02: 8, 2 set aside"]


def test_flow_tells_moves_and_who_stays() -> None:
    """100 in a, of whom 10 move to b; 5 join: b has 15 afterwards."""
    blocks = [Block(code="a", before="A", after="A", kind="c1"), Block(code="b", before="B", after="B", kind="c2")]
    outside = Block(code="absent", before="joined", after="left", kind="quiet")
    picture = sankey.flow([*blocks, outside], {("a", "a"): 90, ("a", "b"): 10, ("absent", "b"): 5}, label="x")
    tips = [node.findtext("title") for node in _parsed(picture).iter("path")]
    assert tips == ["A → A: 90", "A → B: 10", "joined → B: 5"]
    assert _texts(picture) == ["A 100", "joined 5", "90 (-10)", "15"]


def test_names_of_a_flow_stand_apart_where_hardly_anybody_is() -> None:
    """Nearly everybody is in the first, a middle or the last block; the others are a hair thin."""
    codes = "abcdefgh"
    for big in ("a", "d", "h"):
        blocks = [Block(code=code, before=code.upper(), after=code.upper(), kind="c1") for code in codes]
        moves = {(code, code): 4_000 if code == big else 1 for code in codes} | {("a", "b"): 1}
        told = list(_parsed(sankey.flow(blocks, moves, label="x")).iter("text"))
        for anchor in ("end", "start"):
            baselines = [float(node.get("y", "")) for node in told if node.get("text-anchor") == anchor]
            assert len(baselines) == len(codes)
            assert all(later - y >= charts.NAME_HEIGHT for y, later in itertools.pairwise(baselines)), (big, baselines)
            assert min(baselines) >= charts.NAME_HEIGHT
            assert max(baselines) <= 300


def test_curves_place_points_on_their_axes() -> None:
    picture = charts.curves(
        [Line(name="l", points=[(0, 0), (1, 1)], kind="c1", dots=True)],
        label="x", x_name="x", y_name="y", x_format=svg.percent, y_format=svg.percent, x_top=1, y_top=1,
    )  # fmt: skip
    low, high = [(float(node.get("cx", "0")), float(node.get("cy", "0"))) for node in _parsed(picture).iter("circle")]
    assert low[0] < high[0]
    assert low[1] > high[1]


@pytest.mark.parametrize(
    "picture",
    [
        charts.bars([], label="none"),
        charts.columns([("d", 0, 0)], label="zero"),
        charts.histogram([0, 3, 0], label="h", x_name="x", x_format=svg.percent, high=0.075),
        charts.shares(["a", "b"], [("one", [0, 1], "c1"), ("two", [0, 1], "c2")], label="s"),
        sankey.flow([Block(code="a", before="A", after="A", kind="c1")], {}, label="nobody"),
    ],
)
def test_little_data_still_makes_a_picture(picture: Markup) -> None:
    assert _parsed(picture).tag == "svg"


@pytest.mark.parametrize(
    ("counts", "least"), [([1200 - 25 * n for n in range(40)], 3), ([100, 30, 5], 3), ([7, 0, 1100, 1200, 0, 9] * 6, 7)]
)
def test_counts_of_a_histogram_can_be_read(counts: list[int], least: int) -> None:
    """No count stands on another, and none on a bar."""
    picture = charts.histogram(counts, label="h", x_name="x", x_format=svg.percent, high=1)
    told = [node for node in _parsed(picture).iter("text") if "%" not in (node.text or "") and node.get("class") == "tick"]
    assert len(told) >= least
    boxes = [(float(node.get("x", "")), svg.width_of(node.text or "") / 2, float(node.get("y", ""))) for node in told]
    assert all(x + half <= later - other for (x, half, _), (later, other, _) in itertools.pairwise(boxes))
    bars = [tuple(float(bar.get(name, "")) for name in ("x", "width", "y")) for bar in _parsed(picture).iter("rect")]
    assert all(bar_y >= y for x, half, y in boxes for left, width, bar_y in bars if left < x + half and left + width > x - half)
