"""The pictures of a result, as Vega-Lite on the server: SVG for pages (light and dark), PNG for mails."""

import re
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import altair as alt
import orjson
import vl_convert

from analysis.forest import ForestPanel

ThemeName = Literal["light", "dark"]
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
VEGA_LITE = "6.4"
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of one picture; they repeat the tokens of the style sheet."""

    page: str
    ink: str
    soft: str
    line: str
    good: str
    bad: str
    unclear: str
    variants: tuple[str, ...]


THEMES: dict[ThemeName, Theme] = {
    "light": Theme(
        "#ffffff", "#171b23", "#525b6b", "#d3d8e0", "#0b57a4", "#984000", "#525b6b",
        ("#6b7485", "#2f6fd0", "#d97a1f", "#2a8f80", "#8b5fbf"),
    ),
    "dark": Theme(
        "#191d25", "#e8ebf1", "#a9b2c2", "#3a4250", "#8dbdff", "#ffb680", "#a9b2c2",
        ("#929cae", "#6ea3f5", "#f0a35a", "#5cc0b0", "#b694e0"),
    ),
}  # fmt: skip
# Names may hold anything. What XML cannot hold aborts the renderer and the process with it; a line or paragraph
# separator ends a string in the expressions by which Vega sorts.
_UNDRAWABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
SHAPES = {"good": "triangle-up", "bad": "triangle-down", "unclear": "circle"}
ROW_HEIGHT = 30
WIDTH = 420
NARROW_WIDTH = 160
NARROW_LABEL = 108


def forest_chart(
    panels: tuple[ForestPanel, ...], axis_title: str, theme_name: ThemeName, *, is_narrow: bool = False
) -> Any:
    """Draw intervals by segment, one panel per treatment arm, the overall effect as a band behind them.

    The mark's shape says the direction (▲ above 0, ▼ below, ● holds 0), its colour whether that is good.
    is_narrow: for a telephone; the numbers beside the lines are left to the table below.
    """
    theme = THEMES[theme_name]
    low = min(panel.low for panel in panels)
    high = max(panel.high for panel in panels)
    charts = [_panel(panel, axis_title, theme, (low, high), is_narrow=is_narrow) for panel in panels]
    return _styled(alt.vconcat(*charts, spacing=18), theme)


def _panel(
    panel: ForestPanel, axis_title: str, theme: Theme, domain: tuple[float, float], *, is_narrow: bool
) -> Any:
    width = NARROW_WIDTH if is_narrow else WIDTH
    rows = [
        {
            "name": row.name,
            "value": row.value,
            "low": row.low,
            "high": row.high,
            "judgement": row.judgement,
            "shape": {"▲": "triangle-up", "▼": "triangle-down"}.get(row.mark, "circle"),
            "label": row.label,
            "overall": row.is_overall,
        }
        for row in panel.rows
    ]
    data = alt.Data(values=rows)
    order = [row.name for row in panel.rows]
    y = alt.Y(
        "name:N",
        sort=order,
        title=None,
        axis=alt.Axis(labelLimit=NARROW_LABEL if is_narrow else 200, ticks=False, domain=False),
    )
    title = axis_title.replace(" (", "\n(").split("\n") if is_narrow else axis_title
    x = alt.X(
        "value:Q",
        title=title,
        axis=alt.Axis(tickCount=4 if is_narrow else 8),
        scale=alt.Scale(domain=list(domain), nice=False, clamp=True),
    )
    colour = alt.Color(
        "judgement:N",
        legend=None,
        scale=alt.Scale(domain=["good", "bad", "unclear"], range=[theme.good, theme.bad, theme.unclear]),
    )
    base = alt.Chart(data).encode(y=y, color=colour)
    weight = alt.condition("datum.overall", alt.value(3.5), alt.value(2))
    layers = [
        _zero_line(theme),
        *_overall_band(panel, theme),
        base.mark_rule().encode(x=alt.X("low:Q", title=title), x2="high:Q", size=weight),
        base.mark_point(filled=True, size=110, opacity=1).encode(
            x=x, shape=alt.Shape("shape:N", scale=None, legend=None)
        ),
    ]
    if not is_narrow:
        labels = base.mark_text(align="left", dx=8, fontSize=12)
        layers.append(labels.encode(x=alt.value(width), text="label:N", color=alt.value(theme.ink)))
    return alt.layer(*layers).properties(
        width=width,
        height=ROW_HEIGHT * len(rows),
        title=alt.Title(panel.title, anchor="start", fontSize=13, color=theme.ink, offset=8),
    )


def _zero_line(theme: Theme) -> alt.Chart:
    zero = alt.Chart(alt.Data(values=[{"zero": 0.0}]))
    return zero.mark_rule(strokeDash=[4, 3], color=theme.soft, size=1).encode(x="zero:Q")


def _overall_band(panel: ForestPanel, theme: Theme) -> list[alt.Chart]:
    overall = next((row for row in panel.rows if row.is_overall and row.value is not None), None)
    if overall is None:
        return []
    data = alt.Data(values=[{"value": overall.value, "low": overall.low, "high": overall.high}])
    band = alt.Chart(data).mark_rect(color=theme.soft, opacity=0.13).encode(x="low:Q", x2="high:Q")
    return [band, alt.Chart(data).mark_rule(color=theme.soft, size=1).encode(x="value:Q")]


def exposures_chart(days: list[dict[str, Any]], variants: list[str], theme_name: ThemeName) -> Any:
    """Draw newly exposed units a day: one line per variant, told apart by colour, dash and point shape."""
    theme = THEMES[theme_name]
    colours = [theme.variants[i % len(theme.variants)] for i in range(len(variants))]
    legend = alt.Legend(title=None, orient="top", symbolSize=90)
    chart = (
        alt.Chart(alt.Data(values=days))
        .mark_line(point=alt.OverlayMarkDef(filled=True, size=45), strokeWidth=2)
        .encode(
            x=alt.X("day:T", title=None, axis=alt.Axis(format="%d %b", tickCount=8)),
            y=alt.Y("units:Q", title="new units a day", scale=alt.Scale(zero=True)),
            color=alt.Color(
                "variant:N", sort=variants, legend=legend, scale=alt.Scale(domain=variants, range=colours)
            ),
            shape=alt.Shape("variant:N", sort=variants, legend=legend, scale=alt.Scale(domain=variants)),
        )
        .properties(width=560, height=220)
    )
    return _styled(chart, theme)


def _styled(chart: Any, theme: Theme) -> Any:
    return (
        chart.properties(background=theme.page, padding={"left": 6, "right": 12, "top": 6, "bottom": 6})
        # Off: Vega-Lite would build its own descriptions as expressions out of our names, which may hold anything.
        .configure(font=FONT, aria=False)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=theme.ink,
            titleColor=theme.soft,
            gridColor=theme.line,
            domainColor=theme.line,
            tickColor=theme.line,
            labelFontSize=12,
            titleFontSize=12,
            titleFontWeight="normal",
        )
        .configure_axisY(grid=False)
        .configure_legend(labelColor=theme.ink, labelFontSize=12, titleColor=theme.soft)
        .configure_concat(spacing=18)
    )


def to_svg(chart: Any) -> str:
    """Render a chart as SVG."""
    return _svg(_spec(chart))


def to_png(chart: Any, scale: float = 2.0) -> bytes:
    """Render a chart as PNG; scale 2 is sharp on dense screens."""
    return _png(_spec(chart), scale)


def _spec(chart: Any) -> bytes:
    return orjson.dumps(_drawable(chart.to_dict()), option=orjson.OPT_SORT_KEYS)


def _drawable(value: Any) -> Any:
    """Return a specification with a space for every character that the renderer cannot take."""
    if isinstance(value, str):
        return _UNDRAWABLE.sub(" ", value)
    if isinstance(value, list):
        return [_drawable(item) for item in value]
    return {key: _drawable(item) for key, item in value.items()} if isinstance(value, dict) else value


@lru_cache(maxsize=64)
def _svg(spec: bytes) -> str:
    return str(vl_convert.vegalite_to_svg(orjson.loads(spec), vl_version=VEGA_LITE))


@lru_cache(maxsize=64)
def _png(spec: bytes, scale: float) -> bytes:
    png = vl_convert.vegalite_to_png(orjson.loads(spec), vl_version=VEGA_LITE, scale=scale)
    return recompress_png(bytes(png))


def recompress_png(png: bytes) -> bytes:
    """Pack the pixels of a PNG as tightly as zlib can: a mail carries a third of what the renderer wrote."""
    kept: list[bytes] = []
    pixels = b""
    position = len(PNG_SIGNATURE)
    while position < len(png):
        size = int.from_bytes(png[position : position + 4])
        kind, body = png[position + 4 : position + 8], png[position + 8 : position + 8 + size]
        position += size + 12
        if kind == b"IDAT":
            pixels += body
        elif kind == b"IEND":
            kept.append(_png_chunk(b"IDAT", zlib.compress(zlib.decompress(pixels), 9)))
            kept.append(_png_chunk(kind, body))
        else:
            kept.append(_png_chunk(kind, body))
    return PNG_SIGNATURE + b"".join(kept)


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)
