"""Bar charts and curves as SVG."""

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


def curves(path, title, unit, series, spell=None):
    """An SVG: series are {label: [(seconds, value), …]}; spell is (begin, end) of the time to shade."""
    width, height, left, bottom, top_margin = 720, 300, 64, 40, 30
    last = max(x for points in series.values() for x, _ in points) or 1
    top = max(y for points in series.values() for _, y in points) * 1.15 or 1

    def place(x, y):
        return left + (width - left - 16) * x / last, height - bottom - (height - bottom - top_margin) * y / top
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
             f'<rect width="{width}" height="{height}" fill="white"/><text x="{left}" y="18">{title}</text>']
    if spell:
        (begin, floor), (end, ceiling) = place(spell[0], 0), place(spell[1], top)
        parts.append(f'<rect x="{begin:.1f}" y="{ceiling:.1f}" width="{end - begin:.1f}" height="{floor - ceiling:.1f}" '
                     'fill="#f3e3e0"/>')
    for n in range(5):
        (x, y), value = place(0, top * n / 4), top * n / 4
        parts.append(f'<line x1="{x}" x2="{width - 16}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
                     f'<text x="{x - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.0f}</text>')
        x, y = place(last * n / 4, 0)
        parts.append(f'<text x="{x:.1f}" y="{y + 16:.1f}" text-anchor="middle">{last * n / 4:.0f} s</text>')
    for (label, points), colour in zip(series.items(), ("#1f5fa8", "#c05020", "#3a8a3a")):
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(f'<text x="{place(*points[-1])[0] - 4:.1f}" y="{place(*points[-1])[1] - 6:.1f}" fill="{colour}" '
                     f'text-anchor="end">{label}, {unit}</text>')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*parts, "</svg>", ""]))
