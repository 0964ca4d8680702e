"""The signals that end the portal."""

import signal
import sys


def ending_signals() -> list[signal.Signals]:
    """Return those that ask for an end.

    `nohup` has SIGHUP ignored: the portal then outlives its terminal.
    """
    asked = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        asked.append(signal.SIGHUP)
    return asked


def end_quietly() -> None:
    """Let them end this process as if it were done, until somebody else listens to them."""
    for number in ending_signals():
        signal.signal(number, lambda *_: sys.exit(0))
