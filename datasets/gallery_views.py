"""The gallery of a version and its pictures, one by one."""

from functools import cached_property
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from datasets.gallery import Filters, boxes_of, counts_of, place_of, shape_of
from datasets.models import DatasetImage, DatasetVersion
from datasets.selection import Selection
from projects.pages import render_page

_IMAGES_A_PAGE = 48


class _Pages(Paginator):  # type: ignore[type-arg]
    """Pages of the positions of the images that pass, counted from what is known."""

    def __init__(self, selection: Selection) -> None:
        self._known = selection.known_count()
        places = selection.positions()
        # To count them is to find them all: once, in place of again for the page.
        super().__init__(list(places) if self._known is None else places, _IMAGES_A_PAGE)

    @cached_property
    def count(self) -> int:
        """Return how many images there are on all pages."""
        return len(self.object_list) if self._known is None else self._known


@require_safe
@login_required
def image_list(request: HttpRequest, version_id: UUID) -> HttpResponse:
    """Show the pictures of a version with their boxes, filtered by the address."""
    rows = DatasetVersion.objects.visible_to(request.user).select_related("dataset__project")
    version: DatasetVersion = get_object_or_404(rows, pk=version_id)
    filters = Filters(version, request.GET)
    page = _Pages(filters.selection).get_page(request.GET.get("page"))
    tiles = [filters.tile(image) for image in filters.selection.images_at(page)]
    return render_page(
        request,
        "datasets/image_list.html",
        project=version.dataset.project,
        step="data",
        version=version,
        filters=filters,
        splits=DatasetImage.Split.choices,
        page_obj=page,
        tiles=tiles,
        shape=shape_of(tiles),
    )


@require_safe
@login_required
def image_detail(request: HttpRequest, image_id: UUID) -> HttpResponse:
    """Show one picture with its boxes; next and previous stay within the filters."""
    rows = DatasetImage.objects.visible_to(request.user).whole()
    image = get_object_or_404(
        rows.select_related("picture", "version__dataset__project"), pk=image_id
    )
    filters = Filters(image.version, request.GET)
    tile = filters.tile(image)
    return render_page(
        request,
        "datasets/image_detail.html",
        project=image.version.dataset.project,
        step="data",
        version=image.version,
        tile=tile,
        counts=counts_of(tile),
        boxes=boxes_of(tile),
        **place_of(image, filters),
    )
