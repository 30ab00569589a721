"""Inline SVG by hand: marks with classes only, so that one style sheet gives them their colours, dark and light."""
import math

from words import escape


class Drawing:
    """Marks in order; coordinates in pixels of the intended width."""

    def __init__(self, width, height, label):
        self.width, self.height, self.label, self.marks = width, height, label, []

    def add(self, tag, content="", title="", **attributes):
        words = "".join(f' {name.rstrip("_").replace("_", "-")}="{number(value)}"' for name, value in attributes.items())
        if title:
            content = f"<title>{escape(title)}</title>{content}"
        self.marks.append(f"<{tag}{words}>{content}</{tag}>" if content else f"<{tag}{words}/>")

    def rect(self, x, y, width, height, class_, title="", **more):
        self.add("rect", title=title, x=x, y=y, width=max(width, 0), height=max(height, 0), class_=class_, **more)

    def line(self, x1, y1, x2, y2, class_):
        self.add("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)

    def path(self, points, class_, close_at=None, title=""):
        """A line through points; with `close_at`, the area down to that y."""
        d = "M" + "L".join(f"{number(x)},{number(y)}" for x, y in points)
        if close_at is not None:
            d += f"L{number(points[-1][0])},{number(close_at)}L{number(points[0][0])},{number(close_at)}Z"
        self.add("path", title=title, d=d, class_=class_)

    def text(self, x, y, words, class_="tick", anchor="start"):
        self.add("text", escape(words), x=x, y=y, class_=class_, text_anchor=anchor)

    def __str__(self):
        return (f'<svg viewBox="0 0 {number(self.width)} {number(self.height)}" width="{number(self.width)}" '
                f'height="{number(self.height)}" role="img" aria-label="{escape(self.label)}">{"".join(self.marks)}</svg>')


def number(value):
    if not isinstance(value, float) and not hasattr(value, "dtype"):
        return escape(value)
    return f"{float(value):.1f}".removesuffix(".0")


def nice_step(span, n):
    """The smallest of 1, 2, 5 x 10^k that divides a span into at most n parts."""
    if span <= 0:
        return 1.0
    base = 10 ** math.floor(math.log10(span / n))
    return next(step * base for step in (1, 2, 5, 10, 20) if span / (step * base) <= n + 1e-9)


class Plot(Drawing):
    """A frame with a linear time axis and a linear value axis from 0, or axes of the caller's."""

    left, right, top, bottom = 46, 8, 10, 24

    def __init__(self, width, height, label, x_max, y_max, x_min=0.0):
        super().__init__(width, height, label)
        self.x_min, self.x_max, self.y_max = x_min, x_max if x_max > x_min else x_min + 1, y_max if y_max > 0 else 1.0

    def x(self, value):
        return self.left + (value - self.x_min) / (self.x_max - self.x_min) * (self.width - self.left - self.right)

    def y(self, value):
        return self.height - self.bottom - value / self.y_max * (self.height - self.top - self.bottom)

    @property
    def floor(self):
        return self.height - self.bottom

    def y_axis(self, words, n=4):
        step = nice_step(self.y_max, n)
        for i in range(int(self.y_max / step + 1e-9) + 1):
            y = self.y(i * step)
            self.line(self.left, y, self.width - self.right, y, "base" if i == 0 else "grid")
            self.text(self.left - 6, y + 4, words(i * step), anchor="end")

    def tick(self, value, words):
        x = self.x(value)
        self.line(x, self.floor, x, self.floor + 4, "base")
        edge = "end" if x > self.width - 24 else "middle"
        self.text(self.width if edge == "end" else x, self.floor + 17, words, anchor=edge)

    def time_axis(self):
        step = nice_step(self.x_max - self.x_min, max(4, self.width // 90))
        unit, scale = ("min", 60) if self.x_max >= 600 else ("s", 1)
        if scale > 1:
            step = max(1, nice_step(self.x_max / 60, max(4, self.width // 90))) * 60
        for i in range(int(self.x_max / step + 1e-9) + 1):
            self.tick(i * step, f"{i * step / scale:g} {unit}")
