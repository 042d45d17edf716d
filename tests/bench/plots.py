"""Bar charts as SVG."""

import statistics
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, ROW, TOP = 720, 190, 110, 30, 36


def bars(path, title, unit, points):
    """A bar for each {name: [values]}: its length is the median, a thin line the spread."""
    points = {name: found for name, found in points.items() if found}
    top = max(max(found) for found in points.values()) or 1
    height = TOP + ROW * len(points) + 10

    def x(value):
        return LEFT + (WIDTH - LEFT - RIGHT) * value / top
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
             'font-size="12">', f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
             f'<text x="10" y="20">{escape(title)}: {escape(unit)}</text>']
    for row, (name, found) in enumerate(points.items()):
        y, median = TOP + ROW * row, statistics.median(found)
        colour = "#1f5fa8" if row == 0 else "#9aa7b5"
        parts += [f'<text x="{LEFT - 8}" y="{y + 15}" text-anchor="end">{escape(name)}</text>',
                  f'<rect x="{LEFT}" y="{y}" width="{x(median) - LEFT:.1f}" height="20" fill="{colour}"/>',
                  f'<line x1="{x(min(found)):.1f}" x2="{x(max(found)):.1f}" y1="{y + 10}" y2="{y + 10}" stroke="#222"/>',
                  f'<text x="{x(max(found)) + 6:.1f}" y="{y + 15}">{median:,.{0 if median >= 100 else 1}f}</text>']
    path.write_text("\n".join([*parts, "</svg>", ""]))
