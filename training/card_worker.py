"""A worker whose jobs run on a graphics card: it knows the card, and refuses one that is no use."""

from pathlib import Path
from typing import Any

from django.conf import settings

from jobs.worker import Admission, DeliveringWorker
from jobs.worker_rows import WorkerState
from training.own_card import OwnCard


class CardWorker(DeliveringWorker):
    """Takes nothing before its card is found good; its row says which card it is."""

    #: No other worker of this kind may use the card.
    has_card_alone = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        locks = Path(settings.HOME) / "locks" if self.has_card_alone else None
        self.own_card = self.make_card(locks)

    def make_card(self, locks: Path | None) -> OwnCard:
        """Return what finds out about the card."""
        return OwnCard(locks=locks)

    def admission(self) -> Admission:
        """Go on finding out about the card."""
        found, about_card = super().admission(), self.own_card.admission()
        self.beat.tell(**self.own_card.columns())
        return about_card if found[0] == WorkerState.IDLE else found
