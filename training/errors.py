"""Why a training ends badly, in words that say what to do."""

from django.utils.translation import gettext_lazy as _

from jobs.errors import register

register(
    "version_cannot_train",
    _("This dataset version has {train} training and {val} validation pictures and {boxes} boxes."),
    _("Training needs at least one picture in each set and one box. Import more data."),
)
register(
    "weights_missing",
    _("There are no pretrained weights for {base_model} on the worker, in storage or on the net."),
    _("Put {base_model}.pt into the weights folder, or choose the base model “from scratch”."),
)
register(
    "weights_unreadable",
    _("The starting weights cannot be read safely."),
    _("Choose another base model. Ask your administrator to replace the weights file."),
)
register(
    "start_model_gone",
    _("The model that this training was to start from has been deleted."),
    _("Start a new training from another model."),
)
register(
    "storage_away",
    _("The file storage did not answer while this was running, {losses} times in a row."),
    _("Ask your administrator to look at the storage, then choose “Go on”."),
    status=500,
)
register(
    "out_of_memory",
    _("The graphics card ran out of memory."),
    _("Start again with a smaller batch or a smaller image size."),
)
register(
    "host_out_of_memory",
    _("The worker ran out of memory."),
    _("Start again with a smaller batch or a smaller image size."),
)
register(
    "disk_full",
    _("The disk of the training worker is full."),
    _("Ask your administrator to free space, then choose “Go on”: no committed epoch is lost."),
)
register(
    "diverged",
    _("The training went astray: its loss is not a number any more."),
    _("Start again with a lower initial learning rate, or let the optimizer choose it (auto)."),
)
register(
    "data_error",
    _("The trainer could not read the data: {detail}"),
    _("Import the dataset again. If it happens again, tell your administrator."),
)
register(
    "trainer_crashed",
    _("The trainer ended unexpectedly {losses} times in a row without finishing another epoch."),
    _("Try a smaller batch. If it happens again, show the log to your administrator."),
)
register(
    "trainer_failed",
    _("The trainer stopped with an error: {detail}"),
    _("The log shows more. Committed epochs are kept: you can go on, or start a new training."),
)
register(
    "no_epoch_to_keep",
    _("The training was stopped before its first epoch was complete, so there is no model."),
    _("Start a new training and let it finish at least one epoch."),
)
register(
    "checkpoint_unreadable",
    _("None of the stored checkpoints can be read, so the training cannot go on."),
    _("Start a new training with the same settings."),
)
register(
    "not_running",
    _("Only a running training can be stopped."),
    _("Cancel it instead, or wait until it has started."),
    status=409,
)
register(
    "start_model_foreign",
    _("The starting model does not exist in this project."),
    _("Choose a model of this project."),
)
register(
    "unsupported_device",
    _("The graphics card of the worker is not supported: {detail}"),
    _("Ask your administrator to check the worker with `manage.py doctor`."),
)
register(
    "not_exported",
    _("This model is not available as {format} yet."),
    _("Download it as .pt."),
    status=409,
)
register(
    "no_predictions",
    _("There are no predictions on validation pictures for this training."),
    _("They come with the end of a training; those made by an older release have none."),
    status=404,
)
register(
    "compare_how_many",
    _("Two to six training runs can be compared."),
    _("Choose them in the list of the training runs."),
)
