"""Set-up and operations: `manage.py up`, doctor, backup, images, translations."""
