"""The pages without a browser: what they say and do."""
