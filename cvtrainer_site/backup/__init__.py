"""`manage.py backup` and `restore`: the whole truth of an installation in one tar file."""
