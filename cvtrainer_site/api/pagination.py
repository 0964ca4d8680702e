"""The one paginator of the API."""

from rest_framework.pagination import PageNumberPagination


class PagePagination(PageNumberPagination):
    """`?page=` and `?page_size=`, 50 by default and 500 at most."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500
