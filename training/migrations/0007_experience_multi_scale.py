from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("training", "0006_live"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="experience",
            name="training_experience_once",
        ),
        migrations.AddField(
            model_name="experience",
            name="multi_scale",
            field=models.FloatField(default=0.0, help_text="share by which the image size varied"),
        ),
        migrations.AddConstraint(
            model_name="experience",
            constraint=models.UniqueConstraint(
                fields=(
                    *("device", "architecture", "imgsz", "batch", "precision"),
                    "multi_scale",
                ),
                name="training_experience_once",
            ),
        ),
    ]
