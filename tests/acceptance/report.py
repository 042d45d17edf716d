"""What a long test leaves behind in build/acceptance: a table of its samples and a plot of them."""

import csv

from harness import BUILD

FOLDER = BUILD / "acceptance"
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 720, 300, 64, 40, 30


def write_samples(name, columns, samples):
    """NAME.csv with a line per sample."""
    FOLDER.mkdir(exist_ok=True)
    with open(FOLDER / f"{name}.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(samples)


def plot(name, title, unit, series, spell=None, folder=FOLDER):
    """NAME.svg in the folder: series are {label: [(seconds, value), …]}; spell is (begin, end) of the time to shade."""
    last = max(x for points in series.values() for x, _ in points) or 1
    top = max(y for points in series.values() for _, y in points) * 1.15 or 1

    def place(x, y):
        return LEFT + (WIDTH - LEFT - 16) * x / last, HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * y / top
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/><text x="{LEFT}" y="18">{title}</text>']
    if spell:
        (begin, floor), (end, ceiling) = place(spell[0], 0), place(spell[1], top)
        parts.append(f'<rect x="{begin:.1f}" y="{ceiling:.1f}" width="{end - begin:.1f}" height="{floor - ceiling:.1f}" '
                     'fill="#f3e3e0"/>')
    for n in range(5):
        (x, y), value = place(0, top * n / 4), top * n / 4
        parts.append(f'<line x1="{x}" x2="{WIDTH - 16}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
                     f'<text x="{x - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.0f}</text>')
        x, y = place(last * n / 4, 0)
        parts.append(f'<text x="{x:.1f}" y="{y + 16:.1f}" text-anchor="middle">{last * n / 4:.0f} s</text>')
    for (label, points), colour in zip(series.items(), ("#1f5fa8", "#c05020", "#3a8a3a")):
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(f'<text x="{place(*points[-1])[0] - 4:.1f}" y="{place(*points[-1])[1] - 6:.1f}" fill="{colour}" '
                     f'text-anchor="end">{label}, {unit}</text>')
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.svg").write_text("\n".join([*parts, "</svg>", ""]))
