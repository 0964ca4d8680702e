"""Where an attempt begins: at the newest checkpoint that can be read, or with some weights."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from django.utils.translation import gettext as _

from jobs.errors import UserError
from jobs.patience import persist
from jobs.reporter import Reporter
from training import checkpoints, pretrained, results
from training.base_models import BASE_MODELS
from training.messages import Resume
from training.models import Checkpoint, TrainingRun
from training.storing import patiently


class Start:
    """Fetches what the trainer of one attempt needs into its folder."""

    def __init__(self, run: TrainingRun, reporter: Reporter, folder: Path) -> None:
        self.run = run
        self.reporter = reporter
        self.folder = folder

    def checkpoints(self, *, finalise: bool) -> Iterator[Resume | None]:
        """Yield where to begin: each stored checkpoint from the newest, or nothing at all.

        Args:
            finalise: train no further from there.
        """
        found = False
        for last in checkpoints.candidates(self.run):
            found = True
            target = self.folder / f"resume-{last.epoch}.pt"
            if not self._fetch(last, target):
                lost = _("The checkpoint of epoch %(epoch)d is missing or damaged.")
                self.reporter.log(lost % {"epoch": last.epoch}, "warning")
            else:
                message = _("Going on after epoch %(epoch)d (attempt %(attempt)d).")
                self.reporter.log(message % {"epoch": last.epoch, "attempt": self.run.attempt})
                yield Resume(
                    last=str(target),
                    best=self._fetch_best(last, target),
                    epoch=last.epoch,
                    finalise=finalise,
                )
        if not found:
            yield None

    def base_model(self) -> str:
        """Return the name for the trainer; a start from scratch is told by it."""
        # The start model may have been deleted since the run was claimed.
        persist(lambda: self.run.refresh_from_db(fields=["start_model"]))
        is_named = self.run.start_model is None and self.run.base_model in BASE_MODELS
        return self.run.base_model if is_named else self.run.architecture

    def weights_name(self) -> str:
        """Return the file that a start model is downloaded as; nothing for a base model."""
        if self.run.start_model is not None:
            return self.run.start_model.file_name
        # It was deleted meanwhile: what it was called is gone with it.
        return "" if self.run.base_model in BASE_MODELS else f"{self.run.base_model}.pt"

    def weights(self) -> str | None:
        """Return the weights to start from, or None for a start from scratch.

        Raises:
            UserError: `weights_missing`, `weights_unreadable`.
        """
        if self.run.start_model is not None:
            target = self.folder / "start.pt"
            fetch = partial(results.fetch_model, self.run.start_model, target)
            if not patiently(fetch, self.reporter.raise_if_cancelled):
                raise UserError("weights_unreadable")
            return str(target)
        if BASE_MODELS[self.run.base_model].is_scratch:
            return None
        check = self.reporter.raise_if_cancelled
        target = self.folder / "start.pt"
        step = partial(pretrained.provide, self.run.base_model, target, check=check)
        return str(patiently(step, check))

    def _fetch_best(self, last: Checkpoint, fetched: Path) -> str | None:
        """Fetch the best weights so far; where none can be read, those to go on from count."""
        target = self.folder / "resume-best.pt"
        for best in checkpoints.bests_until(self.run, last.epoch):
            if best.file.name == last.file.name:
                return str(fetched)
            if self._fetch(best, target):
                return str(target)
            lost = _("The best model so far, of epoch %(epoch)d, is missing or damaged.")
            self.reporter.log(lost % {"epoch": best.epoch}, "warning")
        return None

    def _fetch(self, checkpoint: Checkpoint, target: Path) -> bool:
        step = partial(checkpoints.fetch, checkpoint, target)
        return patiently(step, self.reporter.raise_if_cancelled)
