from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("training", "0004_experience"),
    ]

    operations = [
        migrations.AddField(
            model_name="trainingrun",
            name="paused_at",
            field=models.DateTimeField(blank=True, help_text="a person laid it aside", null=True),
        ),
        migrations.AddField(
            model_name="trainingrun",
            name="adjusted",
            field=models.JSONField(blank=True, default=dict),
        ),
    ]
