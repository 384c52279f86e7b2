"""Routes of :mod:`commonshub.auth.login`."""

from commonshub.core.app import Route

ROUTES: list[Route] = []
