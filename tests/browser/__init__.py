"""The pages in a real browser: Debian's Chromium against a real web process."""
