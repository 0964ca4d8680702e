"""Why an import ends: each reason by a code, in words for people.

Errors end an import. Problems are in problem_texts.py.
"""

from django.utils.translation import gettext_lazy as _

import datasets.custom_vision_texts
import datasets.problem_texts
import datasets.review_texts
import datasets.upload_texts  # noqa: F401  registers the codes
from jobs.errors import UserError, register
from storage.errors import StorageError


def from_storage(error: StorageError) -> UserError:
    """Return what went wrong with bytes as an error for people."""
    return UserError(error.code, **error.params)


# --- Errors: the archive ---------------------------------------------------------------------
register(
    "archive_empty_file",
    _("The file is empty: not one byte arrived."),
    _("Check the file on your computer and upload it again."),
)
register(
    "archive_not_zip",
    _("The file is not a ZIP archive."),
    _("Pack the pictures and labels into a ZIP file and upload that."),
)
register(
    "archive_other_format",
    _("The file is an archive, but not a ZIP."),
    _("Unpack it, pack the folder as a ZIP and upload that."),
)
register(
    "archive_lfs_pointer",
    _("The file is only a pointer of Git LFS; the data itself is not in it."),
    _("Fetch the real file with `git lfs pull` and upload that."),
)
register(
    "archive_truncated",
    _("The ZIP is incomplete or damaged."),
    _("Pack it again, or upload it again if the upload was interrupted."),
)
register(
    "archive_without_files",
    _("The ZIP is empty."),
    _("Pack the folders with the pictures and labels into it."),
)
register(
    "archive_only_archives",
    _("The ZIP holds only other archives."),
    _("Unpack it and upload the ZIP that holds the pictures."),
)
register(
    "archive_encrypted",
    _("The ZIP is protected by a password ({name})."),
    _("Pack it again without a password."),
)
register(
    "archive_too_many_entries",
    _("The ZIP has {entries} entries; at most {limit} are allowed."),
    _("Divide the data into several ZIP files and import them one after the other."),
)
register(
    "archive_too_large",
    _("Unpacked, the ZIP would take {gigabytes} GB; at most {limit} GB are allowed."),
    _("Divide the data into several ZIP files, or make the pictures smaller."),
)
register(
    "archive_bomb",
    _("The ZIP swells to more than {limit} times its size when it is unpacked ({name})."),
    _("Pictures never pack that well. Leave this file out, or save pictures as JPEG or PNG."),
)
register(
    "archive_overlap",
    _("The ZIP is built unusually: several of its files share the same bytes ({name})."),
    _("Pack it again with an ordinary program."),
)
register(
    "archive_unsafe_name",
    _("The ZIP has a file whose name leads outside of it: {name}"),
    _("Pack the folder again, without absolute paths and without “..”."),
)
register(
    "archive_special_file",
    _("The ZIP has a link or a device in place of a file: {name}"),
    _("Pack it again with the files themselves."),
)
register(
    "archive_method",
    _("The ZIP is packed by a method that is not supported ({name})."),
    _("Pack it again with the usual settings (“deflate”)."),
)
register(
    "archive_member_damaged",
    _("A file in the ZIP is damaged: {name}"),
    _("Pack it again and upload it again."),
)
register(
    "archive_member_too_large",
    _("A file in the ZIP is larger than allowed: {name}"),
    _("Leave it out, or make it smaller."),
)
register(
    "storage_full",
    _("The disk of the server is full; {free_mb} MB are free."),
    _("Ask your administrator to free space, then try again. Nothing was changed."),
    status=507,
)
register(
    "stored_file_missing",
    _("A stored file is missing on the server."),
    _("Tell your administrator."),
    status=500,
)
register(
    "stored_file_damaged",
    _("A stored file is not what it was when it was stored."),
    _("Tell your administrator."),
    status=500,
)

# --- Errors: what is in it -------------------------------------------------------------------
register(
    "no_pictures",
    _("The ZIP holds no pictures. Found: {found}"),
    _("Pack JPEG, PNG, WebP or BMP pictures together with their labels."),
)
register(
    "no_labels",
    _("The ZIP holds {pictures} pictures, but no labels."),
    _("Add the label files: one .txt a picture, in a folder “labels” or beside the pictures."),
)
register(
    "model_not_pictures",
    _("The ZIP holds a model that Custom Vision exported, not pictures."),
    _("Take the pictures over from the Custom Vision project itself: choose that source."),
)
register(
    "no_label_fits",
    _("None of the {labels} label files has the name of one of the {pictures} pictures."),
    _("Name the label of “a.jpg” “a.txt”."),
)
register(
    "no_boxes",
    _("There is not one usable box in the labels."),
    _("The log says what is wrong with the labels. Correct them and import again."),
)
register(
    "no_picture_usable",
    _("Not one of the pictures can be used."),
    _("The log says what is wrong with the pictures. Correct them and import again."),
)
register(
    "too_few_pictures",
    _("There is only one usable picture; training and validation need at least one each."),
    _("Add more pictures."),
)
register(
    "layout_unknown",
    _("The layout of the ZIP is not known. Found: {found}"),
    _("Expected: pictures with labels in YOLO (.txt), COCO (.json) or Pascal VOC (.xml)."),
)
register(
    "labels_broken",
    _("The labels in {file} cannot be read: the file is damaged, cut off, or far too large."),
    _("Export the data again and import the new ZIP."),
)
register(
    "data_yaml_broken",
    _("{file} cannot be read: {found} (line {line})."),
    _("Correct it, or remove it and list the class names in a file “classes.txt”, one a line."),
)
register(
    "data_yaml_not_allowed",
    _("{file} holds “{found}”, which is not allowed: it may run code or swell without limit."),
    _("Remove it from {file} and import again; only the names of the classes are needed."),
)
register(
    "data_yaml_names",
    _("The class names in {file} cannot be understood."),
    _("Write them as “names: [a, b]” or as “0: a” and “1: b” below “names:”."),
)
register(
    "too_many_classes",
    _("There are {count} classes; at most {limit} are allowed."),
    _("Check the class names; perhaps another list was packed by mistake."),
)

# --- Errors of one picture, and problems when many are imported ------------------------------
register(
    "picture_unreadable",
    _("The file is not a picture, or it is damaged."),
    _("Open it on your computer; if it looks right there, save it again as JPEG."),
)
register(
    "picture_format",
    _("The picture is in a format that is not supported."),
    _("Save it as JPEG, PNG, WebP or BMP."),
)
register(
    "picture_truncated",
    _("The picture is incomplete: its end is missing."),
    _("Copy it again from the camera or phone."),
)
register(
    "picture_too_large",
    _("The picture has more than 100 million pixels, or more than 20,000 on a side."),
    _("Make it smaller."),
)
register(
    "picture_too_small",
    _("The picture has fewer than 10 pixels on a side."),
    _("Leave it out, or use a larger one."),
)
register(
    "picture_animated",
    _("The picture is animated."),
    _("Save the frame that you need as a picture of its own."),
)
register(
    "picture_crashed",
    _("The picture could not be decoded safely."),
    _("Open it on your computer and save it again as JPEG."),
)

# --- Datasets --------------------------------------------------------------------------------
register(
    "dataset_foreign",
    _("This dataset does not exist in this project."),
    _("Choose a dataset of this project."),
)
register(
    "dataset_name_taken",
    _("This project has a dataset called {name} already."),
    _("Choose another name, or import into that dataset."),
    status=409,
)
register(
    "dataset_in_use",
    _("A training was made with this dataset."),
    _("Keep it, so that the training can be understood and repeated."),
    status=409,
)
register(
    "dataset_gone",
    _("This dataset was removed in the meantime."),
    _("Import into another dataset, or into a new one."),
    status=409,
)
register(
    "split_shares",
    _("The shares for validation and test leave nothing to train on."),
    _("Choose shares that together are below 100 %."),
)
register(
    "versions_unrelated",
    _("These versions are of two datasets."),
    _("Compare versions of one dataset."),
)
register(
    "version_not_ready",
    _("This dataset version is not ready."),
    _("Wait until its import has ended, or choose another version."),
    status=409,
)
register(
    "upload_gone",
    _("The uploaded file is not kept any more."),
    _("Upload it again."),
    status=409,
)
register(
    "format_unavailable",
    _("The format {format} is not available."),
    _("Choose yolo."),
)
