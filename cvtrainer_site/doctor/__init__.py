"""`manage.py doctor`: looks at the host and says in one line each what is well and what is not."""
