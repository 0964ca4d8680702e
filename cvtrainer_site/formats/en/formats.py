"""English for people in Vietnam: 3/11 must not be read as 11 March."""

SHORT_DATE_FORMAT = "j M Y"
SHORT_DATETIME_FORMAT = "j M Y H:i"
DATETIME_FORMAT = "j F Y, H:i"
