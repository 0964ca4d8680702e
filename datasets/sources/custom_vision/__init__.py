"""A Custom Vision project as a source: Microsoft's SDK for the API, an own client for pictures."""
