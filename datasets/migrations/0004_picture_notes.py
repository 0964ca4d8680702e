from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("datasets", "0003_picture_orientation"),
    ]

    operations = [
        migrations.AddField(
            model_name="picture",
            name="notes",
            field=models.JSONField(
                blank=True, default=list, help_text="codes of what was changed, as `picture_turned`"
            ),
        ),
    ]
