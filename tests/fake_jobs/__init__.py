"""A job without a domain, for the tests of the kernel."""
