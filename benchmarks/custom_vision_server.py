"""A Custom Vision project for the benchmark, in a process of its own, with latency as over a sea.

It prints one line of JSON that tells where it is, and serves until its standard input closes.
"""

import json
import sys
from random import Random

from samples.shelf_scenes import as_jpeg, draw_scene
from tests.custom_vision.emulator import KEY, Emulator

_TAGS = 4
_SIZE = (640, 480)


def main(pictures: int, latency: float) -> None:
    """Serve drawn shelves."""
    with Emulator() as server:
        tags = [server.add_tag(f"lớp {index}") for index in range(_TAGS)]
        for number in range(pictures):
            content = as_jpeg(draw_scene(Random(number), _SIZE)[0])
            server.add_picture(content, _SIZE, [(tags[number % _TAGS], 0.2, 0.2, 0.3, 0.4)])
        server.latency = latency
        told = {
            "endpoint": server.endpoint,
            "project": server.project,
            "key": KEY,
            "bytes": sum(len(picture.content) for picture in server.pictures),
        }
        print(json.dumps(told), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
