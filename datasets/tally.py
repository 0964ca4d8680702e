"""Counts what a version holds while its images pass by, once, in little memory."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from datasets import image_problems
from datasets.class_examples import ClassExamples
from datasets.fingerprint import Fingerprint
from datasets.health import Health
from datasets.models import DatasetClass, DatasetImage, DatasetVersion, ImageClass
from datasets.problems import ProblemRow


class Tally:
    """The numbers of a version: images a split, boxes and images a class, fingerprint, health."""

    def __init__(
        self,
        version: DatasetVersion,
        classes: Sequence[DatasetClass],
        *,
        unreadable: Sequence[ProblemRow] = (),
    ) -> None:
        """Start at nothing.

        Args:
            version: that is counted; its images come by `add`.
            classes: rows of the version, in the order of their indexes.
            unreadable: files that it would hold too, had they been readable.
        """
        self._version = version
        self.classes = classes
        self._unreadable = list(unreadable)
        self._fingerprint = Fingerprint([row.name for row in classes])
        self._health = Health()
        self._examples = ClassExamples()
        self._images: Counter[str] = Counter()
        #: By class and split.
        self._boxes: Counter[tuple[int, str]] = Counter()
        self._shown: Counter[tuple[int, str]] = Counter()

    def add(self, images: Sequence[Any]) -> None:
        """Count images (with their pictures), and save what each of them holds, and is odd with."""
        ImageClass.objects.bulk_create([use for image in images for use in self._uses(image)])
        found = ((image, self._measured(image)) for image in images)
        odd = {image.pk: image_problems.plainly(codes) for image, codes in found if codes}
        if odd:
            image_problems.note(self._version, odd)

    def _uses(self, image: Any) -> list[ImageClass]:
        self._images[image.split] += 1
        self._examples.add(image)
        self._fingerprint.add(image.picture.content_digest, image.split, image.boxes)
        counted = Counter(int(row[0]) for row in image.boxes)
        for index, number in counted.items():
            self._boxes[index, image.split] += number
            self._shown[index, image.split] += 1
        return [
            # By id: there are many, and setting rows takes most of the time.
            ImageClass(
                image_id=image.pk,
                position=image.position,
                dataset_class_id=self.classes[index].pk,
                boxes=number,
            )
            for index, number in counted.items()
        ]

    def _measured(self, image: Any) -> list[str]:
        odd = [f"health_{kind}" for kind in self._health.add(image)]
        if image.group is not None:
            odd.append("look_alike")
        return odd if image.boxes else [*odd, "no_box"]

    @property
    def images(self) -> int:
        """How many images there are."""
        return self._images.total()

    def of(self, split: str) -> int:
        """Return how many images a split has."""
        return self._images[split]

    def save_classes(self) -> None:
        """Write how often each class occurs."""
        for row in self.classes:
            row.by_split = {
                split: [self._shown[row.index, split], self._boxes[row.index, split]]
                for split in DatasetImage.Split.values
                if self._shown[row.index, split]
            }
            row.images, row.boxes = map(sum, zip((0, 0), *row.by_split.values(), strict=True))
            row.examples = self._examples.of(row.index)
        fields = ["boxes", "images", "by_split", "examples"]
        DatasetClass.objects.bulk_update(self.classes, fields, batch_size=500)

    def fields(self) -> dict[str, Any]:
        """Return what the version's row says once it is ready."""
        return {
            "status": DatasetVersion.Status.READY,
            "train_images": self.of(DatasetImage.Split.TRAIN),
            "val_images": self.of(DatasetImage.Split.VAL),
            "test_images": self.of(DatasetImage.Split.TEST),
            "boxes": self._boxes.total(),
            "fingerprint": self._fingerprint.hexdigest(),
            "health": {
                **self._health.row(),
                "problems": image_problems.counted(self._version),
                "unreadable": self._unreadable,
            },
        }
