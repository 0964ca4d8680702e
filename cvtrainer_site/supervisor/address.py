"""Where a listening address is reached: `0.0.0.0` and `::` are for listening alone."""

_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  names them


def reachable(host: str) -> str:
    """Return the address at which this machine reaches what listens on `host`."""
    return _EVERY_ADDRESS.get(host, host)


def local_url(host: str, port: int) -> str:
    """Return the URL of what listens there, as this machine's own browser would open it."""
    name = reachable(host)
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
