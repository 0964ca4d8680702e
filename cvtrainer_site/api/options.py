"""The settings of the API's libraries."""

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.BearerAuthentication",
        "accounts.authentication.BrowserAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.permissions.IsAuthenticatedWithScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["accounts.parsers.LimitedJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "cvtrainer_site.api.pagination.PagePagination",
    "DEFAULT_FILTER_BACKENDS": [
        "projects.filters.ScopedFilterBackend",
        "projects.filters.ClosedOrderingFilter",
    ],
    "DEFAULT_SCHEMA_CLASS": "cvtrainer_site.api.schema.ContractSchema",
    "URL_FORMAT_OVERRIDE": None,  # `?format=` means what a client wants to download
    "EXCEPTION_HANDLER": "cvtrainer_site.api.errors.problem_handler",
    "DEFAULT_THROTTLE_CLASSES": ["accounts.throttling.PerMinuteThrottle"],
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "CVTrainer",
    "VERSION": "v1",
    "DESCRIPTION": "Import pictures, train a detector, detect and count.",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "JobStatus": "jobs.states.Status",
        "VersionStatus": "datasets.models.DatasetVersion.Status",
    },
    "SERVE_PERMISSIONS": ["accounts.permissions.IsAuthenticatedWithScope"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "cvtrainer_site.api.schema.add_problems",
    ],
}
