"""The forest plot: what it draws, what it says to those who cannot see it, and its pictures."""

import zlib

import pytest
import vl_convert

from analysis.charts import exposures_chart, forest_chart, recompress_png, to_png, to_svg
from analysis.exports import csv_rows, quote_formula
from analysis.forest import ROWS_DRAWN, build_forest
from analysis.pipeline import analyse
from analysis.presentation import Report, build_report
from tests.analysis.values import CONVERSION, make_inputs, rate_cell, segment


def _report(sizes: list[tuple[str, int]], *, lift: float = 0.5) -> Report:
    cells = []
    for arm in (0, 1):
        total = sum(n for _, n in sizes)
        cells.append(rate_cell(CONVERSION, arm, total, round(total * 0.2 * (1 + lift * arm))))
        for number, (_, n) in enumerate(sizes, start=1):
            ones = round(n * 0.2 * (1 + lift * arm))
            cells.append(rate_cell(CONVERSION, arm, n, ones, breakdown=number))
    breakdowns = tuple(segment(i, name) for i, (name, _) in enumerate(sizes, start=1))
    return build_report(analyse(make_inputs(cells, breakdowns=breakdowns)))


def test_the_overall_line_comes_first_and_every_line_has_its_numbers() -> None:
    forest = build_forest(_report([("New", 500), ("Old", 900)]))
    assert forest is not None
    (panel,) = forest.panels
    assert [row.name for row in panel.rows] == ["Everyone", "New", "Old"]
    assert panel.rows[0].is_overall
    assert panel.rows[0].label.startswith("▲ +50 % (")
    assert "New ▲ +50 % (" in forest.alt


def test_a_wide_interval_is_cut_so_that_the_others_stay_readable() -> None:
    forest = build_forest(_report([("Small", 60), ("Large", 4_000)]))
    assert forest is not None
    small = next(row for row in forest.panels[0].rows if row.name == "Small")
    assert small.high == forest.panels[0].high
    assert forest.panels[0].high < 150


def test_a_suppressed_segment_is_named_without_numbers() -> None:
    forest = build_forest(_report([("Tiny", 5), ("Large", 4_000)]))
    assert forest is not None
    tiny = next(row for row in forest.panels[0].rows if row.name == "Tiny")
    assert (tiny.value, tiny.label) == (None, "not shown (small cells)")


def test_only_the_largest_of_many_segments_are_drawn() -> None:
    forest = build_forest(_report([(f"Segment {n:02}", 100 + n) for n in range(30)]))
    assert forest is not None
    names = [row.name for row in forest.panels[0].rows]
    assert len(names) == ROWS_DRAWN + 1
    assert "Segment 29" in names
    assert "Segment 00" not in names
    assert "20 largest of 30 segments" in forest.caption


def test_without_any_estimate_there_is_no_picture() -> None:
    inputs = make_inputs([rate_cell(CONVERSION, 0, 100, 0), rate_cell(CONVERSION, 1, 100, 0)])
    assert build_forest(build_report(analyse(inputs))) is None


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("is_narrow", [True, False])
def test_it_is_drawn_in_both_themes_and_widths(theme: str, is_narrow: bool) -> None:
    forest = build_forest(_report([("New <b>", 500), ("Old", 900)]))
    assert forest is not None
    svg = to_svg(forest_chart(forest.panels, forest.axis_title, theme, is_narrow=is_narrow))
    assert svg.startswith("<svg")
    assert "New &lt;b&gt;" in svg
    assert ("+50 %" in svg) != is_narrow


def test_direction_is_told_by_shape_and_not_by_colour_alone() -> None:
    ups, downs = (
        build_forest(_report([("New", 900), ("Old", 900)], lift=lift)).panels[0].rows[0]
        for lift in (0.5, -0.5)
    )
    assert (ups.mark, ups.judgement, downs.mark, downs.judgement) == ("▲", "good", "▼", "bad")


def test_packing_a_png_keeps_every_pixel() -> None:
    forest = build_forest(_report([("New", 500)]))
    assert forest is not None
    spec = forest_chart(forest.panels, forest.axis_title, "light").to_dict()
    raw = bytes(vl_convert.vegalite_to_png(spec, vl_version="6.4", scale=2))
    packed = recompress_png(raw)
    assert len(packed) < len(raw) / 2
    assert _pixels(packed) == _pixels(raw)
    assert to_png(forest_chart(forest.panels, forest.axis_title, "light")) == packed


def _pixels(png: bytes) -> bytes:
    data, position = b"", 8
    while position < len(png):
        size = int.from_bytes(png[position : position + 4])
        body = png[position + 4 : position + 8 + size]
        assert zlib.crc32(body) == int.from_bytes(png[position + 8 + size : position + 12 + size])
        if body[:4] == b"IDAT":
            data += body[4:]
        position += size + 12
    return zlib.decompress(data)


def test_exposures_are_drawn_with_one_legend_entry_per_variant() -> None:
    days = [{"day": "2026-03-02", "variant": name, "units": 5} for name in ("Grey", "Green")]
    svg = to_svg(exposures_chart(days, ["Grey", "Green"], "light"))
    assert svg.count(">Green<") == 1


def test_an_export_holds_the_segments_and_hides_the_small_ones() -> None:
    rows = list(csv_rows(_report([("Tiny", 5), ("Large", 4_000)]).result))
    assert [row[3] for row in rows[1:]] == ["everyone", "Tiny", "Large"]
    assert rows[2][4:16] == ("",) * 12


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_a_text_that_a_spreadsheet_would_run_is_quoted(text: str) -> None:
    assert quote_formula(text) == f"'{text}"
    assert quote_formula("Checkout") == "Checkout"
