"""How many of each class a detection found, told by its row."""

from collections import Counter

from django.db import migrations, models


def count_what_was_found(apps, schema_editor):
    """Fill the column, one detection after the other: there may be many boxes."""
    detections = apps.get_model("detection", "Detection").objects
    images = apps.get_model("detection", "DetectionImage").objects
    for pk, conf in list(detections.values_list("pk", "conf")):
        found = images.filter(detection=pk).values_list("objects_found", flat=True)
        tally = Counter(
            int(one[0]) for objects in found.iterator() for one in objects if one[1] >= conf
        )
        if tally:
            counts = {str(index): tally[index] for index in sorted(tally)}
            detections.filter(pk=pk).update(class_counts=counts)


class Migration(migrations.Migration):
    dependencies = [("detection", "0003_event_times")]

    operations = [
        migrations.AddField(
            model_name="detection",
            name="class_counts",
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.RunPython(count_what_was_found, migrations.RunPython.noop),
    ]
