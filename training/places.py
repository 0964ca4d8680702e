"""The place of each run in the queue: found by picking one after another, as workers do.

Knows no database. `RunQuerySet.in_turn` gives the rows in the order in which they would be picked
now; each pick changes that order, for its project then has one training more.
"""

import heapq
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID


class Waiting(NamedTuple):
    """A run that waits, with what decides when it comes."""

    id: UUID
    project: UUID
    priority: int
    is_interrupted: bool
    gpu_class: str
    queued_at: datetime
    #: How many trainings of its project are on, and when the last of them was taken.
    held: int
    served: datetime | None


@dataclass(frozen=True)
class Place:
    """Where a run stands: its number in the queue, if it has one, and what it waits for besides."""

    position: int | None
    waits_for: dict[str, Any] | None = None


def places(waiting: Sequence[Waiting], *, most: int, classes: Iterable[str]) -> dict[UUID, Place]:
    """Return the place of every run.

    A run that asks for a class of cards stands in the queue of that class, together with those that
    take any; one that takes any stands behind all that could be picked before it.

    Args:
        waiting: in the order of `RunQuerySet.in_turn`.
        most: trainings of a project that may be on at once; 0 for any number.
        classes: of the cards whose workers take work now.
    """
    there = set(classes)
    wanted = {run.gpu_class for run in waiting}
    found: dict[UUID, Place] = {}
    for gpu_class in wanted:
        fitting = {"", gpu_class} if gpu_class else {"", *there}
        line = picked([run for run in waiting if run.gpu_class in fitting], most=most)
        number = {run_id: place for place, run_id in enumerate(line, 1)}
        for run in waiting:
            if run.gpu_class == gpu_class:
                position = number.get(run.id)
                found[run.id] = Place(position, _waits_for(run, position, there, most))
    return found


def picked(waiting: Iterable[Waiting], *, most: int) -> Iterator[UUID]:
    """Yield the runs in the order in which workers would pick them, if none ended meanwhile."""
    loads: dict[UUID, int] = {}
    served: dict[UUID, tuple[int, float]] = {}
    turn = 0
    for _block, rows in groupby(waiting, key=lambda run: (run.priority, run.is_interrupted)):
        queues: dict[UUID, deque[Waiting]] = defaultdict(deque)
        for run in rows:
            queues[run.project].append(run)
            loads.setdefault(run.project, run.held)
            served.setdefault(run.project, (0, run.served.timestamp() if run.served else 0.0))
        heap = [_key(queue[0], loads, served) for queue in queues.values()]
        heapq.heapify(heap)
        while heap:
            run = queues[heapq.heappop(heap)[-1]].popleft()
            if most and loads[run.project] >= most:
                continue  # and so are all that follow it
            yield run.id
            turn += 1
            loads[run.project] += 1
            served[run.project] = (1, float(turn))
            if queues[run.project]:
                heapq.heappush(heap, _key(queues[run.project][0], loads, served))


def _key(
    run: Waiting, loads: dict[UUID, int], served: dict[UUID, tuple[int, float]]
) -> tuple[Any, ...]:
    """Return what `in_turn` orders by, as it is after the picks so far; the project comes last."""
    return (loads[run.project], served[run.project], run.queued_at, run.id, run.project)


def _waits_for(
    run: Waiting, position: int | None, there: set[str], most: int
) -> dict[str, Any] | None:
    if not there:
        return {"code": "waits_for_worker", "params": {}}
    if run.gpu_class and run.gpu_class not in there:
        return {"code": "waits_for_class", "params": {"gpu_class": run.gpu_class}}
    if position is None:
        return {"code": "waits_for_project", "params": {"most": most}}
    return None
