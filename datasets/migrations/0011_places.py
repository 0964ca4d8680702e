"""Rows that name images say where these stand, and classes how often they occur in each split."""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Count, OuterRef, Subquery, Sum


def fill(apps: Any, _schema_editor: Any) -> None:
    """Work out for what is there already what is written from now on."""
    image_model = apps.get_model("datasets", "DatasetImage")
    place = image_model.objects.filter(pk=OuterRef("image")).order_by().values("position")[:1]
    for name in ("ImageClass", "ImageProblem"):
        apps.get_model("datasets", name).objects.update(position=Subquery(place))
    class_model = apps.get_model("datasets", "DatasetClass")
    uses = apps.get_model("datasets", "ImageClass").objects.order_by()
    for row in class_model.objects.filter(images__gt=0).iterator():
        counted = uses.filter(dataset_class=row).values("image__split")
        row.by_split = {
            found["image__split"]: [found["n_images"], found["n_boxes"]]
            for found in counted.annotate(n_images=Count("pk"), n_boxes=Sum("boxes"))
        }
        row.save(update_fields=["by_split"])


class Migration(migrations.Migration):
    """Adds the columns, fills them, then the indexes over them."""

    dependencies = [("datasets", "0010_review_and_problems")]

    operations = [
        migrations.AddField(
            model_name="datasetclass",
            name="by_split",
            field=models.JSONField(
                blank=True, default=dict, help_text="where it is: {split: [images, boxes]}"
            ),
        ),
        migrations.AddField(
            model_name="imageclass",
            name="position",
            field=models.PositiveIntegerField(
                default=0, help_text="of the image, which never moves"
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="imageproblem",
            name="position",
            field=models.PositiveIntegerField(
                default=0, help_text="of the image, which never moves"
            ),
            preserve_default=False,
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="imageclass",
            name="dataset_class",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="datasets.datasetclass",
            ),
        ),
        migrations.AlterField(
            model_name="imageproblem",
            name="version",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="datasets.datasetversion",
            ),
        ),
        migrations.AddIndex(
            model_name="datasetimage",
            index=models.Index(
                fields=["version", "position", "split", "file_name"], name="datasets_image_filter"
            ),
        ),
        migrations.AddIndex(
            model_name="imageclass",
            index=models.Index(
                fields=["dataset_class", "position"], name="datasets_imageclass_place"
            ),
        ),
        migrations.AddIndex(
            model_name="imageproblem",
            index=models.Index(
                fields=["version", "code", "position"], name="datasets_imageproblem_place"
            ),
        ),
    ]
