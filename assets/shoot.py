#!/usr/bin/env python3
"""Turns what `tmux capture-pane -e -p` prints into an SVG: a screenshot that any browser shows alike.

    tmux capture-pane -e -p -t PANE | python3 assets/shoot.py [--cols N] [--rows N] [--title T] > shot.svg

    python3 assets/shoot.py --animate 1.5:first.ansi 0.4:second.ansi ... > story.svg

Text is placed word by word on a fixed grid. Blocks, shades, box drawing and braille are drawn as shapes, because
fonts disagree about their width and histograms would show gaps. Needs nothing but Python.
"""

import argparse
import sys
import unicodedata
from html import escape

CELL_W, CELL_H, FONT, PAD = 8.4, 17.0, 14, 12
FONTS = "ui-monospace,'JetBrains Mono','DejaVu Sans Mono',Menlo,Consolas,monospace"
BACKGROUND, FOREGROUND = "#16181d", "#d5d8de"
ANSI = [
    "#23262e", "#e06c75", "#8fc27a", "#dfb86b", "#6fa8dc", "#c08adb", "#5fb9c4", "#c5c9d1",
    "#6b717d", "#f08790", "#a9d795", "#f1d08c", "#8fc1ee", "#d6a8ec", "#83d3dc", "#ffffff",
]
# Arms of box-drawing characters: left, right, up, down; 1 light, 2 heavy, 3 double.
BOX = {
    "─": "1100", "━": "2200", "│": "0011", "┃": "0022", "┌": "0101", "┐": "1001", "└": "0110", "┘": "1010",
    "├": "0111", "┤": "1011", "┬": "1101", "┴": "1110", "┼": "1111", "┏": "0202", "┓": "2002", "┗": "0220",
    "┛": "2020", "┣": "0222", "┫": "2022", "┳": "2202", "┻": "2220", "╋": "2222", "╴": "1000", "╶": "0100",
    "╵": "0010", "╷": "0001", "╸": "2000", "╺": "0200", "╹": "0020", "╻": "0002", "═": "3300", "║": "0033",
    "╔": "0303", "╗": "3003", "╚": "0330", "╝": "3030", "╠": "0333", "╣": "3033", "╦": "3303", "╩": "3330",
    "╬": "3333", "┄": "1100", "┆": "0011", "┈": "1100", "┊": "0011", "╌": "1100", "╎": "0011",
}
DASHED = "┄┆┈┊╌╎"
ROUND = {"╭": (1, 1), "╮": (-1, 1), "╰": (1, -1), "╯": (-1, -1)}
SHADES = {"░": 0.25, "▒": 0.5, "▓": 0.75}
# Quadrants: upper left, upper right, lower left, lower right.
QUADRANTS = {
    "▖": "0010", "▗": "0001", "▘": "1000", "▙": "1011", "▚": "1001", "▛": "1110", "▜": "1101", "▝": "0100",
    "▞": "0110", "▟": "0111",
}
# What tmux sends between SO and SI: the VT100's line drawing set.
ACS = dict(zip("jklmnqtuvwx~`a", "┘┐┌└┼─├┤┴┬│·◆▒"))


def xterm(n):
    """The colour with this number of the 256."""
    if n < 16:
        return ANSI[n]
    if n < 232:
        levels = (0, 95, 135, 175, 215, 255)
        n -= 16
        return "#%02x%02x%02x" % (levels[n // 36], levels[n // 6 % 6], levels[n % 6])
    return "#%02x%02x%02x" % ((8 + 10 * (n - 232),) * 3)


class Style:
    """What SGR has set."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.fg = self.bg = None
        self.bold = self.dim = self.italic = self.underline = self.strike = self.reverse = False

    def apply(self, parameters):
        codes = [int(p) if p.isdigit() else 0 for p in parameters.replace(":", ";").split(";")]
        while codes:
            code = codes.pop(0)
            if code == 0:
                self.reset()
            elif code in (1, 2, 3, 4, 7, 9):
                setattr(self, {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "reverse", 9: "strike"}[code], True)
            elif code == 22:
                self.bold = self.dim = False
            elif code in (23, 24, 27, 29):
                setattr(self, {23: "italic", 24: "underline", 27: "reverse", 29: "strike"}[code], False)
            elif code in (38, 48) and codes:
                kind = codes.pop(0)
                if kind == 5 and codes:
                    colour = xterm(min(codes.pop(0), 255))
                elif kind == 2 and len(codes) >= 3:
                    colour = "#%02x%02x%02x" % tuple(min(c, 255) for c in codes[:3])
                    del codes[:3]
                else:
                    continue
                if code == 38:
                    self.fg = colour
                else:
                    self.bg = colour
            elif code == 39:
                self.fg = None
            elif code == 49:
                self.bg = None
            elif 30 <= code <= 37 or 90 <= code <= 97:
                self.fg = ANSI[code - 30 if code < 90 else code - 82]
            elif 40 <= code <= 47 or 100 <= code <= 107:
                self.bg = ANSI[code - 40 if code < 100 else code - 92]

    def seen(self):
        """Foreground, background and weight as they are seen."""
        fg, bg = self.fg or FOREGROUND, self.bg
        if self.reverse:
            fg, bg = bg or BACKGROUND, fg
        if self.dim:
            fg = mix(fg, bg or BACKGROUND)
        return fg, bg, self.bold, self.italic, self.underline, self.strike


def mix(a, b):
    """Three fifths of colour a, two of b."""
    return "#" + "".join("%02x" % ((3 * int(a[i : i + 2], 16) + 2 * int(b[i : i + 2], 16)) // 5) for i in (1, 3, 5))


def parse(text):
    """Rows of cells (character, columns it takes, style as seen)."""
    rows, style, acs = [], Style(), False
    for line in text.split("\n"):
        row, i = [], 0
        while i < len(line):
            c = line[i]
            if c == "\x1b" and line[i + 1 : i + 2] == "[":
                end = i + 2
                while end < len(line) and not "@" <= line[end] <= "~":
                    end += 1
                if line[end : end + 1] == "m":
                    style.apply(line[i + 2 : end])
                i = end + 1
                continue
            if c == "\x1b" and line[i + 1 : i + 2] == "]":
                ends = [line.find(mark, i) + len(mark) for mark in ("\x07", "\x1b\\") if line.find(mark, i) >= 0]
                i = min(ends, default=len(line))
                continue
            if c in "\x0e\x0f":
                acs = c == "\x0e"
            elif unicodedata.combining(c) and row:
                row[-1] = (row[-1][0] + c, *row[-1][1:])
            elif c >= " ":
                c = ACS.get(c, c) if acs else c
                row.append((c, 2 if unicodedata.east_asian_width(c) in "WF" else 1, style.seen()))
            i += 1
        rows.append(row)
    return rows


def number(x):
    return f"{x:.2f}".rstrip("0").rstrip(".")


def rect(x, y, w, h, colour, opacity=None):
    fade = f' fill-opacity="{opacity}"' if opacity else ""
    return f'<rect x="{number(x)}" y="{number(y)}" width="{number(w)}" height="{number(h)}" fill="{colour}"{fade}/>'


def shape(c, x, y, colour):
    """A character drawn as shapes, or None."""
    code = ord(c[0])
    if c == "█":
        return rect(x, y, CELL_W, CELL_H, colour)
    if c in SHADES:
        return rect(x, y, CELL_W, CELL_H, colour, SHADES[c])
    if c == "▀":
        return rect(x, y, CELL_W, CELL_H / 2, colour)
    if c == "▐":
        return rect(x + CELL_W / 2, y, CELL_W / 2, CELL_H, colour)
    if c == "▔":
        return rect(x, y, CELL_W, CELL_H / 8, colour)
    if c == "▕":
        return rect(x + CELL_W * 7 / 8, y, CELL_W / 8, CELL_H, colour)
    if 0x2581 <= code <= 0x2587:
        height = CELL_H * (code - 0x2580) / 8
        return rect(x, y + CELL_H - height, CELL_W, height, colour)
    if 0x2589 <= code <= 0x258F:
        return rect(x, y, CELL_W * (0x2590 - code) / 8, CELL_H, colour)
    if c in QUADRANTS:
        half_w, half_h = CELL_W / 2, CELL_H / 2
        parts = (rect(x + q % 2 * half_w, y + q // 2 * half_h, half_w, half_h, colour) for q in range(4) if QUADRANTS[c][q] == "1")
        return "".join(parts)
    if 0x2800 <= code <= 0x28FF:
        dots = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)]
        at = ((x + CELL_W * (0.27 + 0.46 * dx), y + CELL_H * (0.14 + 0.24 * dy)) for bit, (dx, dy) in enumerate(dots) if code >> bit & 1)
        return "".join(f'<circle cx="{number(cx)}" cy="{number(cy)}" r="1.3" fill="{colour}"/>' for cx, cy in at)
    return box(c, x, y, colour)


def box(c, x, y, colour):
    cx, cy = x + CELL_W / 2, y + CELL_H / 2
    if c in ROUND:
        dx, dy = ROUND[c]
        r = CELL_W / 2
        to_x, to_y = (x + CELL_W if dx > 0 else x), (y + CELL_H if dy > 0 else y)
        path = f"M{number(cx)} {number(to_y)}V{number(cy + dy * r)}Q{number(cx)} {number(cy)} {number(cx + dx * r)} {number(cy)}H{number(to_x)}"
        return f'<path d="{path}" fill="none" stroke="{colour}"/>'
    arms = BOX.get(c)
    if arms is None:
        return None
    ends = [(x, cy), (x + CELL_W, cy), (cx, y), (cx, y + CELL_H)]
    parts = []
    for (ex, ey), kind in zip(ends, arms):
        shifts = {"0": (), "1": (0,), "2": (0,), "3": (-1.5, 1.5)}[kind]
        for s in shifts:
            sx, sy = (0, s) if ey == cy else (s, 0)
            extra = ' stroke-width="2"' if kind == "2" else ""
            extra += ' stroke-dasharray="2.1 2.1"' if c in DASHED else ""
            line = f'x1="{number(cx + sx)}" y1="{number(cy + sy)}" x2="{number(ex + sx)}" y2="{number(ey + sy)}"'
            parts.append(f'<line {line} stroke="{colour}"{extra}/>')
    return "".join(parts)


def words(row):
    """Runs of cells that become one text element: (column, columns, text, style); shapes and spaces end a run."""
    column, run = 0, None
    for c, width, style in row:
        drawn = c == " " or shape(c, 0, 0, "#000000") is not None
        if run and (drawn or width == 2 or run[3] != style):
            yield run
            run = None
        if not drawn:
            run = (run[0], run[1] + width, run[2] + c, style) if run else (column, width, c, style)
            if width == 2:
                yield run
                run = None
        column += width
    if run:
        yield run


def text(column, columns, string, style, y):
    fg, _, bold, italic, underline, strike = style
    extra = ' font-weight="bold"' if bold else ""
    extra += ' font-style="italic"' if italic else ""
    decoration = " ".join(d for d, on in (("underline", underline), ("line-through", strike)) if on)
    extra += f' text-decoration="{decoration}"' if decoration else ""
    x, length = number(PAD + column * CELL_W), number(columns * CELL_W)
    base = number(y + CELL_H * 0.76)
    return f'<text x="{x}" y="{base}" textLength="{length}" lengthAdjust="spacingAndGlyphs" fill="{fg}"{extra}>{escape(string)}</text>'


def row_parts(row, y):
    """A row as SVG: backgrounds, shapes, texts."""
    backgrounds, shapes, column, fill = [], [], 0, None
    for c, w, style in row:
        x = PAD + column * CELL_W
        if fill and (fill[2] != style[1]):
            backgrounds.append(rect(fill[0], y, x - fill[0], CELL_H, fill[2]))
            fill = None
        if style[1] and not fill:
            fill = (x, y, style[1])
        drawn = None if c == " " else shape(c, x, y, style[0])
        if drawn:
            shapes.append(drawn)
        elif c == " " and style[4]:
            shapes.append(rect(x, y + CELL_H * 0.86, CELL_W, 1, style[0]))
        column += w
    if fill:
        backgrounds.append(rect(fill[0], y, PAD + column * CELL_W - fill[0], CELL_H, fill[2]))
    return backgrounds, shapes, [text(*run, y) for run in words(row)]


def crisp(parts):
    """Rectangles that touch must not let the background shine through."""
    return '<g shape-rendering="crispEdges">' + "\n".join(parts) + "</g>" if parts else ""


def frame(cols, rows, title):
    """The head of a document and the y of its first row."""
    top = PAD + (CELL_H + 8 if title else 0)
    width, height = PAD * 2 + cols * CELL_W, top + PAD + rows * CELL_H
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {number(width)} {number(height)}" '
        f'width="{number(width)}" height="{number(height)}" font-family="{FONTS}" font-size="{FONT}">',
        f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>',
    ]
    if title:
        out.append(f'<text x="50%" y="{PAD + 10}" text-anchor="middle" fill="{ANSI[8]}">{escape(title)}</text>')
    return out, top


def render(rows, cols, title):
    """One screen."""
    out, top = frame(cols, len(rows), title)
    parts = [row_parts(row, top + r * CELL_H) for r, row in enumerate(rows)]
    out.append(crisp([p for backgrounds, _, _ in parts for p in backgrounds]))
    out.append(crisp([p for _, shapes, _ in parts for p in shapes]))
    out.append("\n".join(p for _, _, texts in parts for p in texts))
    out.append("</svg>\n")
    return "\n".join(out)


def animate(screens, cols, title):
    """Screens with the seconds that each is seen, one after the other, for ever. What a row shows is drawn once, however
    often it comes back."""
    height = max(len(rows) for rows, _ in screens)
    total = sum(seconds for _, seconds in screens)
    starts, at = [], 0.0
    for _, seconds in screens:
        starts.append(at / total)
        at += seconds
    out, top = frame(cols, height, title)
    for r in range(height):
        seen = {}
        for i, (rows, _) in enumerate(screens):
            backgrounds, shapes, texts = row_parts(rows[r] if r < len(rows) else [], top + r * CELL_H)
            seen.setdefault(crisp(backgrounds) + crisp(shapes) + "".join(texts), set()).add(i)
        for drawn, frames in seen.items():
            if not drawn:
                continue
            if len(frames) == len(screens):
                out.append(drawn)
                continue
            changes = [i for i in range(len(screens)) if i == 0 or (i in frames) != (i - 1 in frames)]
            times = ";".join(number_of_time(starts[i]) for i in changes)
            values = ";".join("visible" if i in frames else "hidden" for i in changes)
            out.append(
                f'<g visibility="{values.split(";")[0]}"><animate attributeName="visibility" dur="{number(total)}s" '
                f'repeatCount="indefinite" calcMode="discrete" keyTimes="{times}" values="{values}"/>{drawn}</g>'
            )
    out.append("</svg>\n")
    return "\n".join(out)


def number_of_time(x):
    return f"{x:.4f}".rstrip("0").rstrip(".") or "0"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--cols", type=int, help="columns; the longest line if left out")
    arguments.add_argument("--rows", type=int, help="rows; as many as there are if left out")
    arguments.add_argument("--title", default="", help="text above the screen")
    arguments.add_argument("--animate", nargs="+", metavar="SECONDS:FILE", help="captured screens and how long each is seen")
    options = arguments.parse_args()
    sys.stdout.reconfigure(encoding="utf-8")
    if options.animate:
        screens = []
        for item in options.animate:
            seconds, path = item.split(":", 1)
            with open(path, encoding="utf-8", errors="replace") as captured:
                screens.append((parse(captured.read().removesuffix("\n")), float(seconds)))
        cols = options.cols or max(sum(w for _, w, _ in row) for rows, _ in screens for row in rows)
        sys.stdout.write(animate(screens, cols, options.title))
        return
    source = sys.stdin.buffer.read().decode("utf-8", "replace")
    rows = parse(source.removesuffix("\n"))
    if options.rows:
        rows = (rows + [[]] * options.rows)[: options.rows]
    cols = options.cols or max((sum(w for _, w, _ in row) for row in rows), default=1)
    sys.stdout.write(render(rows, cols, options.title))


if __name__ == "__main__":
    main()
