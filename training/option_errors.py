"""Refused parameters as an answer of the API."""

from rest_framework import serializers

from training.option import InvalidOptionsError


def refused(invalid: InvalidOptionsError) -> serializers.ValidationError:
    """Return refused parameters as an answer that names each field."""
    return serializers.ValidationError(
        {
            error.field: [serializers.ErrorDetail(error.detail, error.code)]
            for error in invalid.errors
        }
    )
