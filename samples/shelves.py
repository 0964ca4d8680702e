"""The empty shelf: back wall, boards, a strip with price tags, and the shade under a board."""

from dataclasses import dataclass
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from samples.sprites import Colour, mix

BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)
TAGS: tuple[Colour, ...] = ((252, 252, 248), (252, 252, 248), (255, 224, 70), (220, 40, 40))


@dataclass(frozen=True)
class Style:
    """How a rack is painted."""

    wall: Colour
    board: Colour
    edge: Colour


STYLES: tuple[Style, ...] = (
    Style((208, 210, 208), (228, 230, 230), (176, 182, 188)),  # white metal
    Style((150, 156, 162), (176, 182, 188), (110, 118, 126)),  # grey metal
    Style((196, 166, 126), (206, 172, 124), (146, 104, 64)),  # light wood
    Style((108, 78, 54), (134, 96, 64), (84, 56, 36)),  # dark wood
    Style((168, 192, 180), (214, 222, 214), (58, 128, 92)),  # green strip
    Style((58, 62, 70), (92, 96, 104), (190, 44, 44)),  # dark with a red strip
    Style((224, 214, 190), (236, 230, 214), (28, 92, 160)),  # cream with a blue strip
)


@dataclass(frozen=True)
class Board:
    """One shelf of a rack, in pixels.

    Attributes:
        ceiling: lower end of the shelf above.
        floor: where products stand.
        edge: where the strip with the price tags begins; above it the board is seen from above.
        bottom: lower end of the strip.
    """

    ceiling: int
    floor: int
    edge: int
    bottom: int

    @property
    def room(self) -> int:
        """Height for products."""
        return self.floor - self.ceiling


def arrange_boards(rng: Random, height: int, *, rows: float) -> list[Board]:
    """Return the shelves from top to bottom; the first and last may reach out of the picture.

    Args:
        height: of the picture.
        rows: how many shelves fit in it.
    """
    pitch = height / rows
    bottom = -pitch * rng.uniform(0.0, 0.12)
    boards = []
    while bottom < height - 0.3 * pitch:
        ceiling, bottom = bottom, bottom + pitch
        edge = bottom - 0.12 * pitch
        floor = edge - 0.04 * pitch
        boards.append(Board(round(ceiling), round(floor), round(edge), round(bottom)))
    return boards


def draw_shelves(rng: Random, size: tuple[int, int], boards: list[Board]) -> Image.Image:
    """Return the rack without products."""
    style = rng.choice(STYLES)
    jitter = rng.choice((BLACK, WHITE)), rng.uniform(0, 0.18)
    style = Style(*(mix(colour, *jitter) for colour in (style.wall, style.board, style.edge)))
    picture = Image.new("RGB", size, style.wall)
    pen = ImageDraw.Draw(picture)
    _draw_wall(rng, pen, size, style.wall)
    picture = ImageChops.multiply(picture, _shade_under_boards(size, boards))
    pen = ImageDraw.Draw(picture)
    for board in boards:
        _draw_board(rng, pen, size[0], board, style)
    return picture


def _draw_wall(rng: Random, pen: ImageDraw.ImageDraw, size: tuple[int, int], wall: Colour) -> None:
    pattern, step = rng.randrange(3), rng.randint(14, 22)
    if pattern == 0:  # pegboard
        for x in range(step // 2, size[0], step):
            for y in range(step // 2, size[1], step):
                pen.ellipse((x, y, x + 2, y + 2), fill=mix(wall, BLACK, 0.28))
    elif pattern == 1:  # planks
        for y in range(step, size[1], 2 * step):
            pen.line((0, y, size[0], y), fill=mix(wall, BLACK, 0.16), width=1)
    for x in range(rng.randint(0, size[0] // 2), size[0], max(60, size[0] // 2)):  # posts
        pen.rectangle((x, 0, x + 5, size[1]), fill=mix(wall, BLACK, 0.2))
        pen.line((x, 0, x, size[1]), fill=mix(wall, WHITE, 0.3))


def _shade_under_boards(size: tuple[int, int], boards: list[Board]) -> Image.Image:
    shade = Image.new("L", (1, size[1]), 255)
    for board in boards:
        for y in range(max(board.ceiling, 0), min(board.bottom, size[1])):
            depth = (y - board.ceiling) / max(board.room, 1)
            shade.putpixel((0, y), round(255 * min(1.0, 0.42 + 0.62 * depth)))
    return Image.merge("RGB", [shade.resize(size)] * 3)


def _draw_board(
    rng: Random, pen: ImageDraw.ImageDraw, width: int, board: Board, style: Style
) -> None:
    deep = board.floor - round(0.04 * board.room)
    pen.rectangle((0, deep, width, board.edge), fill=style.board)
    pen.line((0, deep, width, deep), fill=mix(style.board, BLACK, 0.3))
    pen.rectangle((0, board.edge, width, board.bottom), fill=style.edge)
    pen.line((0, board.edge, width, board.edge), fill=mix(style.edge, WHITE, 0.45))
    pen.line((0, board.bottom, width, board.bottom), fill=mix(style.edge, BLACK, 0.5), width=2)
    x = rng.randint(-10, 30)
    while x < width:
        _draw_tag(rng, pen, x, board)
        x += rng.randint(round(0.35 * board.room), round(0.9 * board.room))


def _draw_tag(rng: Random, pen: ImageDraw.ImageDraw, left: int, board: Board) -> None:
    strip = board.bottom - board.edge
    high = strip * 0.72
    wide = high * rng.uniform(1.9, 2.6)
    top = board.edge + strip * 0.12
    paper = rng.choice(TAGS)
    pen.rectangle((left, top, left + wide, top + high), fill=paper)
    ink = WHITE if paper[1] < 100 else (30, 30, 34)
    price = f"{rng.randint(5, 65)}.{rng.choice(('000', '500', '900'))}"
    font = ImageFont.load_default(max(6.0, min(high * 0.8, wide / 3.6)))
    pen.text((left + wide / 2, top + high / 2), price, ink, font, anchor="mm")


def cast_shadows(
    picture: Image.Image, shadow: Image.Image, blur: float, strength: float
) -> Image.Image:
    """Return the picture darkened where `shadow` (0 to 255) is, softly.

    Args:
        blur: radius, in pixels.
        strength: 0 to 1.
    """
    soft = shadow.filter(ImageFilter.BoxBlur(blur)).filter(ImageFilter.BoxBlur(blur))
    soft = soft.point([255 - round(value * strength) for value in range(256)])
    return ImageChops.multiply(picture, Image.merge("RGB", [soft] * 3))
