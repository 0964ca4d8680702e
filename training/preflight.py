"""Before a training is queued: is the data ready, who could run it, does it fit, what will it take.

Nothing is started or reserved. What has been measured on this installation goes before estimates.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from django.conf import settings

from datasets.models import DatasetVersion
from jobs.errors import UserError, describe
from projects.models import Project
from training import experience, memory, services
from training.base_models import BASE_MODELS
from training.experience import Wanted
from training.fleet import workers_for
from training.gpu_classes import CPU
from training.models import TrainedModel
from training.pretrained import may_be_fetched, names_here

Level = Literal["stop", "warn", "note"]
#: From this share of a card's memory on, a batch is close to its limit.
_TIGHT, _FULL = 0.85, 1.0
#: Sizes of models that take very long on a processor.
_LARGE = frozenset("lx")


@dataclass(frozen=True)
class Finding:
    """Something to know before the start, as a code of errors.py.

    Attributes:
        level: `stop`, it would not be taken; `warn`, it may wait or fail; `note`.
    """

    code: str
    level: Level
    params: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it for the API and the page, in the active language."""
        message, hint = describe(self.code, self.params)
        return {"code": self.code, "level": self.level, "message": message, "hint": hint}


@dataclass(frozen=True)
class Card:
    """What the training would take on one class of cards.

    Attributes:
        gpu_class: such as t4, or cpu.
        name: of the card, empty for the processor.
        workers: that have one and take work.
        memory_mb: of the card; None for the processor.
        needed_mb: of it, measured where just such a training was run before; else an estimate.
        largest_batch: that should fit: smaller than any that is known not to.
        failed_batch: the smallest that ran out of memory here before, None where none did.
        seconds: at most, for all epochs; None where nobody has trained on such a card yet.
        is_rough: the time is scaled from other trainings.
        is_limited: the time is that of the limit, which is shorter or all that is known.
        cost: of that time; None without a price or a time.
    """

    gpu_class: str
    name: str
    workers: int
    memory_mb: int | None
    needed_mb: int | None
    largest_batch: int | None
    failed_batch: int | None
    seconds: float | None
    is_rough: bool
    is_limited: bool
    cost: float | None


@dataclass(frozen=True)
class Preflight:
    """The answer."""

    findings: list[Finding]
    cards: list[Card]

    @property
    def is_ready(self) -> bool:
        """Whether the training would be taken."""
        return all(finding.level != "stop" for finding in self.findings)


def look_ahead(
    *,
    project: Project,
    dataset_version: DatasetVersion,
    base_model: str,
    options: Mapping[str, Any],
    start_model: TrainedModel | None = None,
    gpu_class: str = "",
) -> Preflight:
    """Tell what starting a training would find.

    Args:
        options: checked ones, all of them.
        gpu_class: of the card that it is to run on; empty for any.
    """
    architecture = services.architecture_of(base_model, start_model)
    wanted = Wanted.of(architecture, options)
    images = int(options["epochs"]) * dataset_version.train_images
    limit = float(options["time_limit"]) * 3600
    cards = [_card(rows, wanted, images, limit) for rows in _by_class(gpu_class)]
    findings = [
        *_refusals(project, dataset_version),
        *(_about_start(base_model, options) if start_model is None else ()),
        *_about_workers(cards, gpu_class, architecture),
        *(found for card in cards if (found := _about_memory(card, wanted))),
    ]
    return Preflight(findings, cards)


def _refusals(project: Project, version: DatasetVersion) -> Iterator[Finding]:
    """Yield why it would not be taken."""
    checks: tuple[Callable[[], None], ...] = (
        lambda: services.check_version(project, version),
        lambda: services.check_room(project.pk),
    )
    for check in checks:
        try:
            check()
        except UserError as error:
            yield Finding(error.code, "stop", error.params)


def _about_start(base_model: str, options: Mapping[str, Any]) -> Iterator[Finding]:
    if BASE_MODELS[base_model].is_scratch:
        if options["freeze"]:
            yield Finding("frozen_from_scratch", "warn", {"layers": options["freeze"]})
    elif not may_be_fetched() and base_model not in names_here():
        # Not a refusal: the host of the worker may have them in a folder of its own.
        yield Finding("weights_missing", "warn", {"base_model": base_model})


def _about_workers(cards: list[Card], gpu_class: str, architecture: str) -> Iterator[Finding]:
    if not cards:
        code = "waits_for_class" if gpu_class else "waits_for_worker"
        yield Finding(code, "warn", {"gpu_class": gpu_class})
    elif architecture[-1:] in _LARGE and all(card.gpu_class == CPU for card in cards):
        yield Finding("large_on_cpu", "warn")


def _by_class(gpu_class: str) -> list[list[Any]]:
    """Return the workers that could take it, those with the same class of cards together."""
    found: dict[str, list[Any]] = {}
    for worker in workers_for(gpu_class):
        found.setdefault(worker.gpu_class or CPU, []).append(worker)
    return [found[name] for name in sorted(found)]


def _card(workers: list[Any], wanted: Wanted, images: int, limit: float) -> Card:
    kind = workers[0].gpu_class or CPU
    # The smallest card of the class may be the one that takes it.
    memory_mb = min((w.gpu_memory_mb for w in workers if w.gpu_memory_mb), default=None)
    needed_mb = _needed(wanted, kind) if memory_mb else None
    names = {worker.gpu_name for worker in workers} - {""}
    failed = experience.smallest_too_large(wanted, kind, devices=names) if memory_mb else None
    timed = experience.seconds_per_image(wanted, kind)
    seconds = timed[0] * images if timed else None
    is_limited = limit > 0 and (seconds is None or limit < seconds)
    seconds = limit if is_limited else seconds
    return Card(
        gpu_class=kind,
        name=workers[0].gpu_name,
        workers=len(workers),
        memory_mb=memory_mb,
        needed_mb=needed_mb,
        largest_batch=_largest_batch(wanted, memory_mb, needed_mb, failed) if memory_mb else None,
        failed_batch=failed,
        seconds=seconds,
        is_rough=bool(timed and timed[1] and not is_limited),
        is_limited=is_limited,
        cost=_cost(kind, seconds),
    )


def _needed(wanted: Wanted, kind: str) -> int | None:
    if wanted.batch < 1:
        return None  # automatic: it takes what there is
    return experience.memory_mb(wanted, kind) or memory.needed_mb(
        wanted.architecture,
        imgsz=wanted.largest_side,
        batch=wanted.batch,
        full_precision=wanted.precision == "fp32",
    )


def _largest_batch(
    wanted: Wanted, memory_mb: int, needed_mb: int | None, failed: int | None
) -> int | None:
    """Return the largest batch that should fit: what was measured goes before the estimate."""
    too_large = [failed] if failed else []
    if needed_mb and needed_mb > _TIGHT * memory_mb:
        too_large.append(wanted.batch)
    return memory.fitting_batch(
        wanted.architecture,
        imgsz=wanted.largest_side,
        memory_mb=memory_mb,
        full_precision=wanted.precision == "fp32",
        below=min(too_large, default=None),
    )


def _cost(kind: str, seconds: float | None) -> float | None:
    price = settings.GPU_PRICES.get(kind)
    return None if price is None or seconds is None else round(price * seconds / 3600, 2)


def _about_memory(card: Card, wanted: Wanted) -> Finding | None:
    if not card.memory_mb or not card.needed_mb:
        return None
    params = {
        "batch": wanted.batch,
        "card": card.name or card.gpu_class,
        "needed_gb": round(card.needed_mb / 1024, 1),
        "memory_gb": round(card.memory_mb / 1024, 1),
        "fits": card.largest_batch,
        "failed": card.failed_batch,
    }
    share = card.needed_mb / card.memory_mb
    has_failed = card.failed_batch is not None and card.failed_batch <= wanted.batch
    if (has_failed or share > _FULL) and card.largest_batch is None:
        return Finding("no_batch_fits", "warn", params)
    if has_failed:
        return Finding("batch_failed_before", "warn", params)
    if share > _FULL:
        return Finding("batch_too_large", "warn", params)
    is_tight = share > _TIGHT and card.largest_batch is not None
    return Finding("batch_tight", "note", params) if is_tight else None
