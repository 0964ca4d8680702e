"""What an import leaves out or repairs: each by a code, in words for people.

Problems are counted (`{count}`) and shown in the report of an import, where pictures or labels were
left out or changed and the rest was taken.
"""

from django.utils.translation import gettext_lazy as _

from jobs.errors import register

# --- Problems: pictures ----------------------------------------------------------------------
register("nested_archive", _("{count} archives inside the ZIP were not opened."))
register("same_name", _("{count} files have the name of another file and were left out."))
register(
    "picture_turned",
    _("{count} pictures were turned upright as their camera says, and their boxes with them."),
    _("Look at some of them: if the boxes are off, the labels were drawn on upright pictures."),
)
register("picture_converted", _("{count} pictures were converted to ordinary 8-bit colours."))
register(
    "picture_twice",
    _("{count} pictures are byte for byte like another one; each is kept once, with all boxes."),
)
register(
    "picture_came_again",
    _("{count} pictures were in the dataset before; they have the boxes of this import now."),
)
register(
    "picture_unlabelled",
    _("{count} pictures have no usable label; they count as pictures with nothing on them."),
    _("An empty label file says that nothing is in a picture."),
)

# --- Problems: labels ------------------------------------------------------------------------
register("label_without_picture", _("{count} label files have no picture."))
register("label_file_unreadable", _("{count} label files are damaged or too large."))
register(
    "picture_not_there",
    _("{count} pictures that the labels name are not in the ZIP."),
    _("Pack them along if they are needed."),
)
register("size_unknown", _("{count} boxes belong to pictures whose size nobody knows."))
register("crowd_left_out", _("{count} labels mark a crowd, not one object; they were left out."))
register(
    "annotation_without_box", _("{count} labels have no box and no polygon; they were left out.")
)
register("no_label_usable", _("{count} label files have lines, but none that can be used."))
register(
    "class_out_of_range",
    _("{count} labels name a class that does not exist; they were left out."),
    _("Check the list of class names: it may be shorter than the labels need."),
)
register("label_not_a_number", _("{count} labels hold something that is no number."))
register("label_field_count", _("{count} labels have the wrong number of fields."))
register(
    "label_in_pixels",
    _("{count} labels are in pixels; they were left out."),
    _("YOLO labels are shares of the width and height, from 0 to 1."),
)
register("box_without_area", _("{count} boxes have no area and were left out."))
register("box_outside", _("{count} boxes lie outside of their picture and were left out."))
register("box_clipped", _("{count} boxes reached out of their picture and were cut at its edge."))
register("label_twice", _("{count} labels are there twice and were taken once."))
register("too_many_boxes", _("{count} labels are beyond what one picture may have."))
register("polygon_boxed", _("{count} polygons became the boxes around them."))
register("confidence_ignored", _("{count} labels have a sixth value, which was ignored."))

# --- Problems: classes and splits ------------------------------------------------------------
register(
    "classes_without_names",
    _("The ZIP names no classes; {count} got names by their number."),
    _("Add a data.yaml or a classes.txt with the names."),
)
register("class_renamed", _("{count} class names were empty, double or not printable."))
register("class_names_by_case", _("{count} class names differ from another only by case."))
register("class_count_differs", _("The number of classes differs from the number of names."))
register("class_lists_differ", _("{count} further lists of class names differ from the one used."))
register("split_folder_missing", _("{count} folders or lists that data.yaml names are missing."))
register(
    "splits_share_folder",
    _("{count} folders are named for several splits at once; their pictures are split anew."),
)
register(
    "split_leak",
    _("{count} pictures look like one in another split, or are the same."),
    _("The measured quality is better than the model. Split anew: such pictures stay together."),
)
register(
    "near_duplicates_apart",
    _("The pictures look so much alike that they could not be kept together on one side."),
    _("The measured quality is better than the model. Add pictures of other scenes."),
)
register(
    "known_picture_moved",
    _("{count} pictures lie in another split than in the last version that has them."),
    _("Models of then and now cannot be compared. To keep them, do not keep the split of the ZIP."),
)
register("splits_made_anew", _("The splits of the ZIP could not be kept; it was split anew."))
