"""Counts what a version holds while its images pass by, once, in little memory."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from datasets.fingerprint import Fingerprint
from datasets.health import Health
from datasets.models import DatasetClass, DatasetImage, DatasetVersion, ImageClass
from datasets.sources.base import Counted


class Tally:
    """The numbers of a version: images a split, boxes and images a class, fingerprint, health."""

    def __init__(self, classes: Sequence[DatasetClass]) -> None:
        """Start at nothing.

        Args:
            classes: rows of the version, in the order of their indexes.
        """
        self.classes = classes
        self._fingerprint = Fingerprint([row.name for row in classes])
        self._health = Health()
        self._images: Counter[str] = Counter()
        self._boxes: Counter[int] = Counter()
        self._shown: Counter[int] = Counter()

    def add(self, images: Iterable[Any]) -> None:
        """Count images (with their pictures), and save which classes each of them holds."""
        ImageClass.objects.bulk_create([use for image in images for use in self._uses(image)])

    def _uses(self, image: Any) -> list[ImageClass]:
        self._images[image.split] += 1
        self._health.add(image)
        self._fingerprint.add(image.picture.content_digest, image.split, image.boxes)
        counted = Counter(int(row[0]) for row in image.boxes)
        self._boxes.update(counted)
        self._shown.update(counted.keys())
        return [
            # By id: there are many, and setting rows takes most of the time.
            ImageClass(image_id=image.pk, dataset_class_id=self.classes[index].pk, boxes=number)
            for index, number in counted.items()
        ]

    @property
    def images(self) -> int:
        """How many images there are."""
        return self._images.total()

    def of(self, split: str) -> int:
        """Return how many images a split has."""
        return self._images[split]

    def counted(self) -> Counted:
        """Return what there is of each class."""
        indexes = [row.index for row in self.classes]
        return Counted(
            images=self.images,
            boxes=tuple(self._boxes[index] for index in indexes),
            images_with=tuple(self._shown[index] for index in indexes),
        )

    def save_classes(self) -> None:
        """Write how often each class occurs."""
        for row in self.classes:
            row.boxes, row.images = self._boxes[row.index], self._shown[row.index]
        DatasetClass.objects.bulk_update(self.classes, ["boxes", "images"], batch_size=500)

    def fields(self) -> dict[str, Any]:
        """Return what the version's row says once it is ready."""
        return {
            "status": DatasetVersion.Status.READY,
            "train_images": self.of(DatasetImage.Split.TRAIN),
            "val_images": self.of(DatasetImage.Split.VAL),
            "test_images": self.of(DatasetImage.Split.TEST),
            "boxes": self._boxes.total(),
            "fingerprint": self._fingerprint.hexdigest(),
            "health": self._health.row(),
        }
