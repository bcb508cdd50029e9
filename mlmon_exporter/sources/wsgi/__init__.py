"""Calls of a WSGI app: Flask, Django, Bottle under gunicorn, uWSGI, waitress."""
