"""Where products stand on the shelves, who hides whom, and what of each can be seen."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageEnhance

from samples.products import KINDS, draw_product
from samples.shelves import Board, cast_shadows

LEAST_VISIBLE = 0.3
"""A product of which less can be seen is taken off the shelf: nobody could tell what it is."""

_MOST_PRODUCTS = 250  # each has its own value in a mask of 8 bits


@dataclass(frozen=True)
class Box:
    """What can be seen of one product; edges in pixels, right and bottom exclusive."""

    class_index: int
    left: int
    top: int
    right: int
    bottom: int

    @property
    def name(self) -> str:
        """The name of the class."""
        return KINDS[self.class_index].name


@dataclass(frozen=True)
class Standing:
    """A product in its place, in pixels from the upper left corner of the picture."""

    class_index: int
    sprite: Image.Image
    left: int
    top: int


def fill_shelves(rng: Random, width: int, boards: list[Board], light_side: float) -> list[Standing]:
    """Put products on all shelves; those later in the list stand in front of the earlier ones.

    Args:
        width: of the picture.
        light_side: where the light comes from, 0 left to 1 right.
    """
    standing: list[Standing] = []
    kinds = _endless_kinds(rng)
    for board in boards:
        x = board.room * rng.uniform(-0.4, 0.1)
        crowding = rng.uniform(-0.16, 0.1)
        while x < width:
            group = _place_group(rng, next(kinds), x, board, light_side, crowding)
            standing += group
            x = max(item.left + item.sprite.width for item in group)
            x += board.room * rng.choice((-0.04, 0.02, 0.05, 0.1, 0.35))
    return standing[:_MOST_PRODUCTS]


def _endless_kinds(rng: Random) -> Iterator[int]:
    """Yield indices of kinds, each as often as the others."""
    while True:
        yield from rng.sample(range(len(KINDS)), len(KINDS))


def _place_group(  # noqa: PLR0917  the six are what places a thing
    rng: Random, index: int, x: float, board: Board, light_side: float, crowding: float
) -> list[Standing]:
    """Return copies of one product side by side, now and then with others behind them."""
    kind = KINDS[index]
    height = board.room * rng.uniform(*kind.tallness)
    sprite = draw_product(rng, kind, round(height), light_side)
    step = sprite.width * (1 + crowding + rng.uniform(-0.06, 0.06))
    facings = rng.choice((1, 1, 2, 2, 3))
    front, back = [], []
    for place in range(facings):
        left = x + place * step + rng.uniform(-0.04, 0.04) * sprite.width
        front.append(_stand(rng, index, sprite, left, board, depth=rng.uniform(0, 0.05)))
        if rng.random() < 0.15:
            far = ImageEnhance.Brightness(sprite).enhance(0.72)
            shifted = left + rng.choice((-0.5, 0.5)) * sprite.width
            back.append(_stand(rng, index, far, shifted, board, depth=rng.uniform(0.1, 0.14)))
    return back + front


def _stand(
    rng: Random, index: int, sprite: Image.Image, left: float, board: Board, *, depth: float
) -> Standing:
    """Return a product on a board; `depth` is how far back, as a share of the room."""
    scale = (1 - 0.5 * depth) * rng.uniform(0.98, 1.02)
    size = max(4, round(sprite.width * scale)), max(6, round(sprite.height * scale))
    turned = sprite.resize(size, Image.Resampling.BILINEAR)
    if rng.random() < 0.2:
        angle = rng.uniform(-5, 5)
        turned = turned.rotate(angle, Image.Resampling.BILINEAR, expand=True)
    foot = board.floor + 0.03 * board.room - depth * 0.5 * board.room
    return Standing(index, turned, round(left), round(foot) - turned.height)


def visible_boxes(
    standing: list[Standing], size: tuple[int, int]
) -> tuple[list[Standing], list[Box]]:
    """Take off what is nearly hidden or out of the picture, and box the rest.

    Returns:
        The products that stay, and for each the box around its visible part, in the same order.
    """
    seen, _ = _look(standing, size)
    kept = [item for item, share in zip(standing, seen, strict=True) if share >= LEAST_VISIBLE]
    return kept, _look(kept, size)[1]


def _look(standing: list[Standing], size: tuple[int, int]) -> tuple[list[float], list[Box]]:
    """Return the visible share of each product, and the boxes of those not quite hidden."""
    owners = Image.new("L", size, 0)
    areas = []
    for number, item in enumerate(standing, start=1):
        solid = item.sprite.getchannel("A").point([0] * 128 + [255] * 128)
        owners.paste(number, (item.left, item.top), solid)
        areas.append(solid.histogram()[255])
    pixels = owners.histogram()
    seen = [pixels[number] / max(area, 1) for number, area in enumerate(areas, start=1)]
    boxes = []
    for number, item in enumerate(standing, start=1):
        edges = owners.point([0] * number + [255] + [0] * (255 - number)).getbbox()
        if edges:
            boxes.append(Box(item.class_index, *edges))
    return seen, boxes


def paint(picture: Image.Image, standing: list[Standing], light_side: float) -> Image.Image:
    """Return the picture of empty shelves with the products and the shadows that they cast."""
    shadow = Image.new("L", picture.size, 0)
    for item in standing:
        offset = round((0.5 - light_side) * 0.3 * item.sprite.width)
        alpha = item.sprite.getchannel("A")
        shadow.paste(255, (item.left + offset, item.top + 3), alpha)
    picture = cast_shadows(picture, shadow, blur=3, strength=0.45)
    for item in standing:
        picture.paste(item.sprite, (item.left, item.top), item.sprite)
    return picture
