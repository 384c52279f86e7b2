"""Routes of :mod:`commonshub.auth.trail`."""

from commonshub.core.app import Route

ROUTES: list[Route] = []
