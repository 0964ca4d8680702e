"""`manage.py up`: starts the whole portal on one machine and leaves no process behind."""
