"""The trainer: a program of its own, `python -m training.trainer`, without secrets or database.

    --listen SOCKET   load the libraries, then wait for one supervisor at a socket (a warm spare)
    --connect FD      speak over an inherited socket at once, load the libraries then (a cold start)

It speaks the language of `training.messages` and dies with its supervisor. `YOLO_CONFIG_DIR` names
a private folder for the libraries' settings and caches, which several trainers may share.
"""

import argparse
import importlib.metadata
import os
import platform
import socket
import sys
from pathlib import Path

from training import trainer_process
from training.messages import PROTOCOL, Failed, Hello, Level, Log, ProtocolError, Spec
from training.trainer_link import Link, accept_one
from training.trainer_log import LogSink, capture, capture_library_logger

_PACKAGES = ("ultralytics", "torch", "torchvision")
_PROJECT = str(Path(__file__).resolve().parent.parent)


def main(arguments: list[str] | None = None) -> int:
    """Serve one supervisor and return the exit status: 0 unless the training failed."""
    options = _parse(arguments)
    trainer_process.isolate(options.parent)
    trainer_process.prepare_libraries(_config_dir(options))
    if options.listen:
        _load_libraries()
        connection = accept_one(options.listen)
    else:
        connection = socket.socket(fileno=options.connect)
    link = Link(connection)
    log = LogSink(lambda level, text: link.send(_log(level, text)))
    _greet(link, warm=bool(options.listen))
    capture(log)
    link.listen()
    return 0 if _serve(link, log) else 1


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="training.trainer", description=__doc__)
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--listen", type=Path, metavar="SOCKET")
    way.add_argument("--connect", type=int, metavar="FD")
    parser.add_argument("--parent", type=int, help="end at once if this is not the parent")
    return parser.parse_args(arguments)


def _config_dir(options: argparse.Namespace) -> Path:
    given = os.environ.get("YOLO_CONFIG_DIR")
    if given:
        return Path(given).absolute()
    return Path(options.listen).absolute().parent if options.listen else Path.cwd()


def _load_libraries() -> None:
    """Import all that a training will need; makes no CUDA call."""
    from training import trainer_yolo

    trainer_yolo.load_the_rest()
    trainer_yolo.check_library()
    trainer_yolo.restrain_library()


def _greet(link: Link, *, warm: bool) -> None:
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    versions["python"] = platform.python_version()
    link.send(Hello(type="hello", protocol=PROTOCOL, pid=os.getpid(), warm=warm, versions=versions))


def _serve(link: Link, log: LogSink) -> bool:
    try:
        spec = link.receive_spec()
    except ProtocolError as error:
        detail = str(error)
        link.send(Failed(type="failed", code="bad_spec", detail=detail, epoch=0, batch=0))
        return False
    _announce(spec, log)
    _load_libraries()
    capture_library_logger(log)
    from training.trainer_run import Run, short_names

    pythons = dict.fromkeys((sys.prefix, sys.base_prefix), "python")
    log.shorten({**pythons, _PROJECT: "cvtrainer", **short_names(spec)})
    return Run(spec, link, log).go()


def _announce(spec: Spec, log: LogSink) -> None:
    what = "Going on" if spec.resume else "Training"
    log.add("info", f"{what}: {spec.base_model}, {spec.options.get('epochs')} epochs")


def _log(level: Level, text: str) -> Log:
    return Log(type="log", level=level, text=text)


if __name__ == "__main__":
    status = main()
    # The interpreter would take seconds to unload the libraries, and nothing is left to do.
    os._exit(status)
