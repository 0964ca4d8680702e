"""A problem of an image may name the boxes that it is of; an import knows the size of its upload."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds both; what was there before names none, and counts for nothing."""

    dependencies = [("datasets", "0011_places")]

    operations = [
        migrations.AddField(
            model_name="imageproblem",
            name="boxes",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="corners of those that it is of, where looking at them does not tell it",
            ),
        ),
        migrations.AddField(
            model_name="import",
            name="file_size",
            field=models.PositiveBigIntegerField(
                default=0, help_text="bytes of the file, until nobody needs it any more"
            ),
        ),
    ]
