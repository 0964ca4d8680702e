"""Five kinds of goods on a Vietnamese shelf, each in countless colours, prints and proportions."""

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi, sin
from random import Random

from PIL import Image

from samples.sprites import BRANDS, PAPERS, Colour, Point, Sheet, mix, pick_colours, round_light

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)
SILVER: Colour = (206, 210, 214)
DRINKS: tuple[Colour, ...] = (
    (196, 226, 240), (214, 232, 236), (186, 122, 44), (236, 150, 40), (120, 176, 74), (70, 34, 22),
)  # fmt: skip
PRESERVES: tuple[Colour, ...] = (
    (150, 40, 30), (196, 120, 40), (110, 60, 30), (170, 160, 70), (220, 190, 120), (84, 30, 46),
)  # fmt: skip


def _mirrored(profile: list[Point]) -> list[Point]:
    """Return a closed outline from its right half: (half width, height) from top to bottom."""
    right = [(0.5 + x, y) for x, y in profile]
    left = [(0.5 - x, y) for x, y in reversed(profile)]
    return right + left


def _draw_bottle(rng: Random, width: int, height: int, side: float) -> Image.Image:
    drink = rng.choice(DRINKS)
    brand, second = pick_colours(rng)
    sheet = Sheet(width, height, drink)
    neck, shoulder = rng.uniform(0.15, 0.19), rng.uniform(0.3, 0.38)
    waist = rng.uniform(0.43, 0.49)
    curve = [
        (neck + (0.5 - neck) * (1 - cos(pi * t / 6)) / 2, 0.14 + (shoulder - 0.14) * t / 6)
        for t in range(7)
    ]
    sheet.cut(
        _mirrored([
            (neck, 0.0), (neck, 0.14), *curve, (0.5, 0.42), (waist, 0.47), (waist, 0.7),
            (0.5, 0.75), (0.5, 0.95), (0.43, 1.0),
        ])
    )  # fmt: skip
    if sum(drink) > 600:  # water: paler where it stands in front of the light
        sheet.polygon(
            [(0.3, 0.16), (0.7, 0.16), (0.74, 0.97), (0.26, 0.97)], mix(drink, WHITE, 0.5)
        )
    sheet.band(0.14, rng.uniform(0.17, 0.27), mix(drink, WHITE, 0.45))
    sheet.band(0.44, 0.73, brand)
    sheet.band(0.66, 0.7, second)
    sheet.text((0.5, 0.55), rng.choice(BRANDS), WHITE, width=0.78, most=0.13)
    for ridge in (0.79, 0.84, 0.89):
        sheet.line((0, ridge), (1, ridge), mix(drink, BLACK, 0.16), 0.02)
    sheet.shade(round_light(side, gloss=0.5))
    cap = rng.choice((WHITE, brand, second, (30, 90, 180)))
    sheet.band(0.0, 0.085, cap)
    for notch in range(1, 8):
        x = 0.5 - neck + 2 * neck * notch / 8
        sheet.line((x, 0.01), (x, 0.075), mix(cap, BLACK, 0.25), 0.015)
    sheet.band(0.085, 0.105, mix(cap, BLACK, 0.3))
    return sheet.finish()


def _draw_can(rng: Random, width: int, height: int, side: float) -> Image.Image:
    brand, second = pick_colours(rng)
    is_silver = rng.random() < 0.3
    sheet = Sheet(width, height, SILVER if is_silver else brand)
    sheet.cut(_mirrored([(0.41, 0.035), (0.5, 0.11), (0.5, 0.92), (0.43, 0.975)]))
    sheet.cut_ellipse((0.09, 0.0), (0.91, 0.07))
    sheet.cut_ellipse((0.07, 0.945), (0.93, 1.0))
    style = rng.randrange(3)
    if style == 0:
        sheet.polygon([(0, 0.62), (1, 0.34), (1, 0.6), (0, 0.86)], second)
    elif style == 1:
        sheet.ellipse((0.14, 0.28), (0.86, 0.72), second)
    else:
        sheet.band(0.14, 0.24, second)
        sheet.band(0.76, 0.86, second)
    ink = brand if is_silver and style != 1 else WHITE
    sheet.text((0.5, 0.49), rng.choice(BRANDS), ink, width=0.74, most=0.2)
    sheet.text((0.5, 0.66), "330 ml", ink, width=0.4, most=0.07)
    sheet.shade(round_light(side, gloss=0.6))
    _draw_can_ends(sheet)
    return sheet.finish()


def _draw_can_ends(sheet: Sheet) -> None:
    sheet.polygon([(0.08, 0.03), (0.92, 0.03), (1.0, 0.1), (0.0, 0.1)], mix(SILVER, BLACK, 0.18))
    sheet.ellipse((0.09, 0.0), (0.91, 0.07), SILVER)
    sheet.ellipse((0.15, 0.012), (0.85, 0.06), mix(SILVER, BLACK, 0.25))
    sheet.ellipse((0.42, 0.018), (0.62, 0.048), mix(SILVER, WHITE, 0.4))
    sheet.band(0.945, 1.0, mix(SILVER, BLACK, 0.3))


def _draw_carton(rng: Random, width: int, height: int, side: float) -> Image.Image:
    brand, second = pick_colours(rng)
    paper = rng.choice(PAPERS)
    sheet = Sheet(width, height, paper)
    edge, top = rng.uniform(0.7, 0.8), rng.uniform(0.07, 0.11)
    sheet.cut([(0, top), (0.2, 0), (1, 0), (1, 0.955), (edge, 1), (0, 1)])
    wave = [(x / 12 * edge, 0.56 + 0.05 * sin(x / 12 * 2 * pi)) for x in range(13)]
    sheet.polygon([*wave, (edge, 1), (0, 1)], brand)
    sheet.polygon([(0, top), (edge, top), (edge, top + 0.1), (0, top + 0.1)], brand)
    sheet.ellipse((0.18 * edge, 0.62), (0.82 * edge, 0.9), mix(second, WHITE, 0.25))
    sheet.ellipse((0.34 * edge, 0.68), (0.66 * edge, 0.84), WHITE)
    sheet.text((edge / 2, 0.37), rng.choice(BRANDS), brand, width=edge * 0.82, most=0.2)
    sheet.text((edge / 2, 0.5), "180 ml", second, width=edge * 0.35, most=0.05)
    bright = 1.08 - 0.14 * side
    sheet.shade(lambda x: bright - 0.08 * x)
    dark = 0.45 - 0.22 * side
    sheet.polygon(
        [(edge, top), (1, 0), (1, 1), (edge, 1)], mix(mix(paper, brand, 0.25), BLACK, dark)
    )
    sheet.polygon([(edge, 0.6), (1, 0.5), (1, 1), (edge, 1)], mix(brand, BLACK, dark))
    sheet.polygon([(0, top), (0.2, 0), (1, 0), (edge, top)], mix(paper, BLACK, 0.1))
    _draw_opening(rng, sheet, second, top)
    return sheet.finish()


def _draw_opening(rng: Random, sheet: Sheet, colour: Colour, top: float) -> None:
    if rng.random() < 0.5:
        sheet.ellipse((0.44, top * 0.12), (0.68, top * 0.95), colour)
        sheet.ellipse((0.48, top * 0.18), (0.64, top * 0.65), mix(colour, WHITE, 0.4))
    else:
        sheet.ellipse((0.52, top * 0.3), (0.64, top * 0.7), SILVER)


def _draw_jar(rng: Random, width: int, height: int, side: float) -> Image.Image:
    content = rng.choice(PRESERVES)
    brand, second = pick_colours(rng)
    sheet = Sheet(width, height, mix(content, BLACK, rng.uniform(0, 0.2)))
    sheet.cut(_mirrored([
        (0.4, 0.0), (0.43, 0.03), (0.43, 0.2), (0.38, 0.21), (0.38, 0.25), (0.48, 0.33),
        (0.5, 0.4), (0.5, 0.9), (0.46, 0.98), (0.4, 1.0),
    ]))  # fmt: skip
    for _ in range(26):  # what swims inside
        x, y, size = rng.random(), rng.uniform(0.34, 0.97), rng.uniform(0.03, 0.08)
        sheet.ellipse((x, y), (x + size, y + size), mix(content, rng.choice((WHITE, BLACK)), 0.22))
    sheet.band(0.2, 0.3, mix(content, WHITE, 0.55))
    paper = rng.choice(PAPERS)
    sheet.band(0.44, 0.84, paper)
    sheet.band(0.44, 0.49, brand)
    sheet.band(0.79, 0.84, brand)
    sheet.text((0.5, 0.64), rng.choice(BRANDS), brand, width=0.6, most=0.24)
    sheet.shade(round_light(side, gloss=0.55))
    lid = rng.choice(((212, 172, 70), second, WHITE, (190, 30, 36), (40, 110, 60)))
    sheet.band(0.0, 0.21, lid)
    for notch in range(1, 16):
        x = 0.07 + 0.86 * notch / 16
        sheet.line((x, 0.05), (x, 0.19), mix(lid, BLACK, 0.22), 0.012)
    sheet.band(0.0, 0.035, mix(lid, WHITE, 0.45))
    return sheet.finish()


def _draw_pouch(rng: Random, width: int, height: int, side: float) -> Image.Image:
    brand, second = pick_colours(rng)
    sheet = Sheet(width, height, brand)
    sheet.cut(_pillow(rng, teeth=14))
    sheet.polygon([(0, 0.12), (1, 0.12), (1, 0.36), (0, 0.5)], second)
    name = rng.choice(BRANDS)
    sheet.text((0.5, 0.28), name, WHITE, width=0.68, most=0.2)
    bowl = rng.choice((WHITE, (236, 222, 190), (30, 32, 40)))
    sheet.ellipse((0.16, 0.5), (0.84, 0.88), bowl)
    sheet.ellipse((0.2, 0.52), (0.8, 0.76), (240, 190, 70))
    for strand in range(6):  # noodles
        x = 0.26 + strand * 0.08
        sheet.line((x, 0.58), (x + 0.1, 0.7), (250, 224, 130), 0.02)
    sheet.ellipse((0.5, 0.55), (0.64, 0.65), (220, 60, 40))
    sheet.ellipse((0.34, 0.6), (0.44, 0.68), (70, 140, 50))
    streak = 0.25 + 0.5 * side
    sheet.shade(
        lambda x: 1.04 - 0.34 * abs(2 * x - 1) ** 4 + 0.22 * max(0, 1 - abs(x - streak) / 0.08)
    )
    for top in (0.0, 0.93):
        sheet.band(top, top + 0.07, mix(brand, WHITE, 0.3))
        for line in (0.02, 0.045):
            sheet.line((0, top + line), (1, top + line), mix(brand, BLACK, 0.15), 0.01)
    for _ in range(4):  # creases that run out from the seams
        x, y = rng.uniform(0.1, 0.9), rng.choice((0.08, 0.84))
        sheet.line((x, y), (x + rng.uniform(-0.08, 0.08), y + 0.08), mix(brand, WHITE, 0.5), 0.012)
    return sheet.finish()


def _pillow(rng: Random, *, teeth: int) -> list[Point]:
    """Return a bag's outline: zigzag seams above and below, bulging sides."""
    bulge = rng.uniform(0.02, 0.05)
    top = [
        (bulge + (1 - 2 * bulge) * t / (2 * teeth), 0.018 * (t % 2)) for t in range(2 * teeth + 1)
    ]
    sides = [0.07 + 0.86 * t / 10 for t in range(11)]
    right = [(1 - bulge + bulge * sin(pi * (y - 0.07) / 0.86) ** 0.5, y) for y in sides]
    bottom = [(x, 1 - y) for x, y in reversed(top)]
    left = [(1 - x, y) for x, y in reversed(right)]
    return top + right + bottom + left


@dataclass(frozen=True)
class Kind:
    """A kind of product: what it is called and how it may look.

    Attributes:
        aspect: span of width over height.
        tallness: span of its height as a share of the room between two shelves.
    """

    name: str
    aspect: tuple[float, float]
    tallness: tuple[float, float]
    draw: Callable[[Random, int, int, float], Image.Image]


KINDS: tuple[Kind, ...] = (
    Kind("chai nước", (0.3, 0.36), (0.78, 0.92), _draw_bottle),
    Kind("lon bia", (0.48, 0.58), (0.46, 0.58), _draw_can),
    Kind("hộp sữa", (0.52, 0.68), (0.52, 0.74), _draw_carton),
    Kind("hũ mắm", (0.72, 0.92), (0.44, 0.58), _draw_jar),
    Kind("gói mì", (0.74, 1.05), (0.5, 0.68), _draw_pouch),
)
CLASS_NAMES: tuple[str, ...] = tuple(kind.name for kind in KINDS)


def draw_product(rng: Random, kind: Kind, height: int, light_side: float) -> Image.Image:
    """Return one product with a transparent surrounding.

    Args:
        height: of the product, in pixels.
        light_side: where the light comes from, 0 left to 1 right.
    """
    width = max(6, round(height * rng.uniform(*kind.aspect)))
    return kind.draw(rng, width, max(8, height), light_side)
