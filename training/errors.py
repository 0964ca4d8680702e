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
    _("Ask your administrator to look at the storage, then let it go on: nothing is lost."),
    status=500,
)
register(
    "out_of_memory",
    _("The graphics card ran out of memory with a batch of {batch}."),
    _("Go on with a smaller batch or smaller images; a smaller base model needs less as well."),
)
register(
    "host_out_of_memory",
    _("The worker ran out of memory with a batch of {batch}."),
    _("Go on with a smaller batch, or ask your administrator for a worker with more memory."),
)
register(
    "shared_memory_full",
    _("The worker ran out of shared memory (/dev/shm) or of open files."),
    _("Ask your administrator to allow it more, then let it go on: nothing is lost."),
    status=500,
)
register(
    "disk_full",
    _("There was no space left for this training, {losses} times in a row."),
    _("Ask your administrator to free space, then let it go on: no committed epoch is lost."),
)
register(
    "device_failed",
    _("The graphics card failed under this training, {losses} times in a row."),
    _("Ask your administrator to look at the worker, then let it go on: nothing is lost."),
    status=500,
)
register(
    "diverged",
    _("The training went astray in epoch {epoch}: its loss is not a number any more."),
    _("Start anew with a lower initial learning rate. What was best before can be kept."),
)
register(
    "data_error",
    _("The trainer could not read the data: {detail}"),
    _("Import the data again, then train with the new version."),
)
register(
    "version_changed",
    _("The data of {version} is not what it was when the version was made."),
    _("Import it again as a new version. Tell your administrator: somebody changed the database."),
)
register(
    "picture_missing",
    _("The file of the picture {picture} is not in the storage any more."),
    _(
        "Import the data again: what is missing is stored anew, and this training can go on."
        " Or ask your administrator to put the file back from a backup."
    ),
    status=500,
)
register(
    "trainer_crashed",
    _("The trainer ended unexpectedly {losses} times in a row without finishing another epoch."),
    _("Try a smaller batch. If it happens again, show the log to your administrator."),
)
register(
    "trainer_hung",
    _("The trainer showed no progress for a long time, {losses} times in a row."),
    _("Let it go on; if it happens again, show the log to your administrator."),
    status=500,
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
    "not_waiting",
    _("The training does not wait any more."),
    _("Reload the page to see how it stands."),
    status=409,
)
register(
    "pausing",
    _("The training is just being paused; it cannot be changed before it lies aside."),
    _("Wait a few seconds, then try again."),
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
    "card_unsupported",
    _("PyTorch {torch} has no code for the card {card} (compute capability {capability})."),
    _("Install a build of PyTorch that has, or use another card; then restart this worker."),
)
register(
    "card_unseen",
    _("PyTorch {torch} does not see the card {card}."),
    _("The driver ({driver}) is too old for it, or the container has no GPU. Then restart it."),
)
register(
    "card_silent",
    _("The graphics card does not answer: {detail}"),
    _("Look at it with nvidia-smi; it may need a reboot. The worker looks again every minute."),
)
register(
    "card_gone",
    _("The graphics card {card} is gone from this host."),
    _("Look at it with nvidia-smi; it may need a reboot. The worker looks again every minute."),
)
register(
    "card_taken",
    _("Another training worker of this host has the card {card}."),
    _("It begins when that one ends. One training worker a card is enough."),
)
register(
    "torch_broken",
    _("PyTorch does not start: {detail}"),
    _("Run `manage.py doctor` on this host, then restart the worker."),
)
register(
    "waits_for_project",
    _("It waits for another training of this project."),
    _("At most {most} trainings of a project run at once."),
)
register(
    "waits_for_worker",
    _("No worker takes trainings now."),
    _("It begins by itself as soon as there is one."),
)
register(
    "waits_for_class",
    _("No worker with a card of the class {gpu_class} takes trainings now."),
    _("It begins by itself as soon as there is one."),
)
register(
    "too_many_waiting",
    _("{most} trainings of this project wait already; more are not taken."),
    _("Wait until one of them has begun, or cancel one."),
    status=409,
)
register(
    "priority_for_staff",
    _("A priority above 0 goes before the trainings of all projects; only administrators give it."),
    _("Leave it at 0, or below to let others go first; ask your administrator for more."),
    status=403,
)
register(
    "batch_too_large",
    _("A batch of {batch} needs about {needed_gb} GB; {card} has {memory_gb} GB."),
    _("A batch of {fits} should fit."),
)
register(
    "batch_tight",
    _("A batch of {batch} nearly fills the memory of {card} ({needed_gb} of {memory_gb} GB)."),
    _("A batch of {fits} is on the safe side."),
)
register(
    "batch_failed_before",
    _("Such a training ran out of memory on {card} before, with a batch of {failed}."),
    _("A batch of {fits} should fit."),
)
register(
    "no_batch_fits",
    _("{card} ({memory_gb} GB) has too little memory for this training, whatever the batch."),
    _("Choose smaller images or a smaller base model."),
)
register(
    "large_on_cpu",
    _("Only workers without a graphics card take trainings now; a large model takes very long."),
    _("Choose a nano or small model, or ask your administrator for a worker with a card."),
)
register(
    "frozen_from_scratch",
    _("A model from scratch knows nothing yet: its {layers} frozen layers would never learn."),
    _("Set the frozen layers to 0, or choose a pretrained model."),
)
register(
    "card_failed",
    _("A training failed on the card of this worker; it takes none until the card answers."),
    _("Look at it with nvidia-smi; it may need a reboot. The worker looks again every minute."),
)
register(
    "worker_disk_full",
    _("The disk of this worker is full; it takes no training until there is space."),
    _("Free some space. The worker looks again every minute."),
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
