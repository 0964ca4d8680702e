"""The last part of bench-live: what 1,000 open pages cost beside their sockets, and all at once.

1. Nothing is told: what the pages ask for by themselves, and what that costs.
2. The runs talk again: the requests are in nobody's way.
3. All runs end in the same moment, and every page is drawn again.
"""

import os
import time

from benchmarks.figures import Figure, at_most, note
from benchmarks.live_stage import (
    LATENCY_SECONDS,
    PEOPLE,
    Stage,
    Viewers,
    cpu_seconds,
    let_talk,
    none_missing,
    quantile,
    run_program,
)

SECONDS = float(os.environ.get("LIVE_PAGE_SECONDS", "60"))


def measure(stage: Stage) -> list[Figure]:
    """Watch as pages do."""
    after = run_program(stage.portal, "last", *stage.runs)
    how = {"after": after, "asks": True}
    with Viewers(stage.portal, stage.port, stage.people, **how) as viewers:
        viewers.wait_open(len(stage.people))
        while viewers.ask()["bells"] < len(stage.people):
            time.sleep(0.5)
        return [*_in_silence(stage, viewers), *_in_talk(stage, viewers), *_at_end(stage, viewers)]


def _in_silence(stage: Stage, viewers: Viewers) -> list[Figure]:
    web = stage.web()
    note(f"{PEOPLE} pages are open for {SECONDS:g} s, and nothing happens")
    before, busy = viewers.ask(), cpu_seconds(web)
    time.sleep(SECONDS)
    seen, used = viewers.ask(), cpu_seconds(web) - busy
    asked = (seen["requests"] - before["requests"]) / SECONDS
    return [
        Figure(f"requests a second of {PEOPLE} open pages", f"{asked:.0f}"),
        Figure(
            "web process for these and its sockets", f"{100 * used / SECONDS:.0f} % of one core"
        ),
    ]


def _in_talk(stage: Stage, viewers: Viewers) -> list[Figure]:
    note(f"the runs talk for {SECONDS:g} s")
    before = viewers.ask()
    last, _most = let_talk(stage, stage.web(), SECONDS)
    seen = viewers.ask(last)
    delays = seen["delays"] - before["delays"]
    return [
        none_missing("lines missing or twice on pages", seen, last),
        at_most(
            "on pages, from written to seen, 99 %", quantile(delays, 0.99), LATENCY_SECONDS, "s"
        ),
    ]


def _at_end(stage: Stage, viewers: Viewers) -> list[Figure]:
    web = stage.web()
    note("all runs end")
    before, busy = viewers.ask(), cpu_seconds(web)
    run_program(stage.portal, "end", *stage.runs)
    seen = viewers.say({"drawn": len(stage.people)})
    used = cpu_seconds(web) - busy
    failed = seen["failures"] + sum(n for status, n in seen["answers"].items() if status >= "400")
    asked = seen["requests"] - before["requests"]
    left = len(stage.people) - seen["drawn"].total()
    return [
        Figure("requests when all runs end, a page", f"{asked / len(stage.people):.1f}"),
        Figure("web process for these, a page", f"{1000 * used / len(stage.people):.0f} ms"),
        Figure(
            "from the end to the page drawn again, median", f"{quantile(seen['drawn'], 0.5):.1f} s"
        ),
        Figure(
            "from the end to the page drawn again, slowest", f"{quantile(seen['drawn'], 1):.1f} s"
        ),
        Figure("requests that failed", str(failed), "0", failed == 0),
        Figure("pages not drawn again", str(left), "0", left == 0),
    ]
