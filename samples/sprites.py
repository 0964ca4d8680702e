"""How a product is put together: an outline, a printed face, light on it, and a smooth edge."""

from collections.abc import Callable
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Point = tuple[float, float]

OVERSAMPLING = 2
"""Sprites are drawn so many times larger and then reduced, which makes their edges smooth."""

# Pillow's own font has no accents, and no other font is sure to be there.
BRANDS = ("SEN", "LUA", "SONG", "MAI", "TRE", "HOA", "SAO", "NAM", "VIVA", "MEKO", "HIEN", "RUBI")
COLOURS: tuple[Colour, ...] = (
    (204, 34, 41), (226, 88, 34), (242, 174, 36), (54, 140, 62), (20, 104, 86), (28, 96, 178),
    (36, 52, 120), (118, 56, 140), (196, 60, 120), (96, 60, 38), (32, 36, 42), (120, 176, 212),
)  # fmt: skip
PAPERS: tuple[Colour, ...] = ((250, 250, 246), (250, 238, 206), (226, 240, 248), (240, 246, 226))


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Return a colour between two; `share` of the second, 0 to 1."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


class Sheet:
    """A face to draw on in shares of its width and height, with an outline to cut it out."""

    def __init__(self, width: int, height: int, colour: Colour) -> None:
        self.width, self.height = width * OVERSAMPLING, height * OVERSAMPLING
        self.face = Image.new("RGB", (self.width, self.height), colour)
        self.outline = Image.new("L", (self.width, self.height), 0)
        self._pen = ImageDraw.Draw(self.face)
        self._knife = ImageDraw.Draw(self.outline)

    def _scaled(self, points: list[Point]) -> list[Point]:
        return [(x * (self.width - 1), y * (self.height - 1)) for x, y in points]

    def cut(self, points: list[Point]) -> None:
        """Add a polygon to the outline."""
        self._knife.polygon(self._scaled(points), fill=255)

    def cut_ellipse(self, start: Point, end: Point) -> None:
        """Add an ellipse to the outline."""
        (left, top), (right, bottom) = self._scaled([start, end])
        self._knife.ellipse((left, top, right, bottom), fill=255)

    def polygon(self, points: list[Point], colour: Colour) -> None:
        """Print a polygon."""
        self._pen.polygon(self._scaled(points), fill=colour)

    def band(self, top: float, bottom: float, colour: Colour) -> None:
        """Print a stripe from edge to edge."""
        self.polygon([(0, top), (1, top), (1, bottom), (0, bottom)], colour)

    def ellipse(self, start: Point, end: Point, colour: Colour) -> None:
        """Print an ellipse."""
        (left, top), (right, bottom) = self._scaled([start, end])
        self._pen.ellipse((left, top, right, bottom), fill=colour)

    def line(self, start: Point, end: Point, colour: Colour, width: float = 0.01) -> None:
        """Print a line; its width is a share of the width of the sheet."""
        thick = max(1, round(width * self.width))
        self._pen.line(self._scaled([start, end]), fill=colour, width=thick)

    def text(self, centre: Point, text: str, colour: Colour, *, width: float, most: float) -> None:
        """Print a text that fills `width` of the sheet, and is no higher than `most` of it."""
        room = width * self.width
        full = ImageFont.load_default(100).getlength(text)
        size = min(room / full * 100, most * self.height)
        if size < 5:
            return
        font = ImageFont.load_default(size)
        bold = round(size / 28)
        (middle,) = self._scaled([centre])
        self._pen.text(middle, text, colour, font, anchor="mm", stroke_width=bold)

    def shade(self, brightness: Callable[[float], float]) -> None:
        """Darken and lighten along the width: `brightness` of a share, 1 is unchanged, up to 2."""
        values = [brightness(x / max(self.width - 1, 1)) for x in range(self.width)]
        dark, light = Image.new("L", (self.width, 1)), Image.new("L", (self.width, 1))
        dark.putdata([round(255 * min(value, 1.0)) for value in values])
        light.putdata([round(255 * min(max(value - 1.0, 0.0), 1.0)) for value in values])
        self.face = ImageChops.multiply(self.face, self._spread(dark))
        self.face = ImageChops.screen(self.face, self._spread(light))
        self._pen = ImageDraw.Draw(self.face)

    def _spread(self, row: Image.Image) -> Image.Image:
        return Image.merge("RGB", [row.resize((self.width, self.height))] * 3)

    def finish(self) -> Image.Image:
        """Return the product with a transparent surrounding, in its final size."""
        sprite = self.face.copy()
        sprite.putalpha(self.outline)
        return sprite.reduce(OVERSAMPLING)


def round_light(side: float, *, gloss: float = 0.35) -> Callable[[float], float]:
    """Return the light on an upright cylinder.

    Args:
        side: where the light comes from, 0 left to 1 right.
        gloss: how strong the bright streak is.
    """
    streak = 0.22 + 0.56 * side

    def brightness(x: float) -> float:
        edge = 1.0 - 0.62 * float(abs(2 * x - 1) ** 2.6)
        shine = gloss * max(0.0, 1 - abs(x - streak) / 0.11)
        return edge + shine

    return brightness


def pick_colours(rng: Random) -> tuple[Colour, Colour]:
    """Return two different colours of a brand, each a little off so that no two are the same."""
    first, second = rng.sample(COLOURS, 2)
    towards = rng.choice(((0, 0, 0), (255, 255, 255)))
    return mix(first, towards, rng.uniform(0, 0.2)), mix(second, towards, rng.uniform(0, 0.2))
