"""What light and camera do to a scene: brightness, colour of the light, blur, noise."""

from random import Random

from PIL import Image, ImageChops, ImageFilter

_NOISE = (256, 256)


def photograph(rng: Random, picture: Image.Image, light_side: float) -> Image.Image:
    """Return the scene as a phone would have taken it.

    Args:
        light_side: where the light comes from, 0 left to 1 right.
    """
    picture = ImageChops.multiply(picture, _side_light(rng, picture.size, light_side))
    picture = picture.point(_exposure(rng))
    if rng.random() < 0.3:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.9)))
    return _add_noise(rng, picture, amount=rng.choice((0, 3, 5, 8)))


def _side_light(rng: Random, size: tuple[int, int], light_side: float) -> Image.Image:
    """Return a brightness that falls off on the side away from the light."""
    fall = rng.uniform(0.0, 0.4)
    row = Image.new("L", (64, 1))
    row.putdata([round(255 * (1 - fall * abs(x / 63 - light_side))) for x in range(64)])
    return Image.merge("RGB", [row.resize(size, Image.Resampling.BILINEAR)] * 3)


def _exposure(rng: Random) -> list[int]:
    """Return a table for red, green and blue: gain, contrast and the warmth of the lamp."""
    gain, contrast, warmth = rng.uniform(0.75, 1.2), rng.uniform(0.85, 1.1), rng.uniform(-0.08, 0.1)
    table = []
    for channel in (1 + warmth, 1.0, 1 - warmth):
        for value in range(256):
            bright = 128 + (value * gain * channel - 128) * contrast
            table.append(max(0, min(255, round(bright))))
    return table


def _add_noise(rng: Random, picture: Image.Image, *, amount: int) -> Image.Image:
    """Return the picture with grain of up to `amount` either way, out of 255."""
    if not amount:
        return picture
    table = [round(value / 255 * 2 * amount) for value in range(256)]
    grain = Image.frombytes("L", _NOISE, rng.randbytes(_NOISE[0] * _NOISE[1])).point(table)
    tiled = Image.new("L", picture.size)
    for x in range(0, picture.width, _NOISE[0]):
        for y in range(0, picture.height, _NOISE[1]):
            tiled.paste(grain, (x, y))
    return ImageChops.add(picture, Image.merge("RGB", [tiled] * 3), 1, -amount)
