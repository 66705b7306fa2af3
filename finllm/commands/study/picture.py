"""The picture of a study: a column for each level, a dot for each run, a bar at the mean."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

from finllm.report.axis import axis

WIDTH, TOP, HEIGHT, LEFT = 720, 40, 220, 70
STYLE = (
    ".s text{font:13px system-ui,sans-serif;fill:#333}.s .paper{fill:#fff}"
    ".s .grid{stroke:#ddd}.s .mean{stroke:#0b5cad;stroke-width:3}"
    ".s .dot{fill:#0b5cad;fill-opacity:.55}.s .soft{fill:#666}"
)


def picture(result: Mapping) -> str:
    """Return the SVG of a result of ``record``; the same result gives the same bytes."""
    levels = result["levels"]
    values = [run["mean"] for level in levels for run in level["runs"]]
    scale = axis(values or [0.0, 1.0], 5)
    step = (WIDTH - LEFT - 20) / len(levels)
    bottom = TOP + HEIGHT

    def y(value: float) -> str:
        return f"{TOP + scale.flipped(value) * HEIGHT / 100:.1f}"

    parts = [
        f'<svg class="s" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 40}" '
        f'width="{WIDTH}" height="{bottom + 40}" role="img">',
        f"<title>{escape(result['metric'])} by level, all runs</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{bottom + 40}"/>',
        f'<text class="soft" x="12" y="22">{escape(result["metric"])}; a dot is a run, the bar '
        "the mean</text>",
    ]
    for tick, said in zip(scale.ticks, scale.labels, strict=True):
        at = y(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - 20}" y1="{at}" y2="{at}"/>')
        parts.append(
            f'<text class="soft" x="{LEFT - 8}" y="{at}" dy="4" text-anchor="end">{said}</text>'
        )
    for i, level in enumerate(levels):
        x = LEFT + step * (i + 0.5)
        label = escape(level["name"][:28])
        parts.append(f'<text x="{x:.1f}" y="{bottom + 24}" text-anchor="middle">{label}</text>')
        for run in level["runs"]:
            parts.append(f'<circle class="dot" cx="{x:.1f}" cy="{y(run["mean"])}" r="5"/>')
        if level["mean"] is not None:
            at = y(level["mean"])
            parts.append(
                f'<line class="mean" x1="{x - 18:.1f}" x2="{x + 18:.1f}" y1="{at}" y2="{at}"/>'
            )
    return "\n".join([*parts, "</svg>"]) + "\n"
