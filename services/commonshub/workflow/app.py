"""Workflow runs by GA4GH's Workflow Execution Service (WES)."""

from typing import ClassVar

from commonshub.core.app import ServiceApplication
from commonshub.core.routing import Route

from . import handlers


class WorkflowApp(ServiceApplication):
    """The workflow service of the commons."""

    name = "workflow"
    description = "Workflow runs by the GA4GH Workflow Execution Service."
    prefixes: ClassVar[tuple[str, ...]] = ("/ga4gh/wes",)
    uses_database: ClassVar[bool] = False

    def routes(self) -> list[Route]:
        """Routes of WES 1.1."""
        return [(r"/ga4gh/wes/v1/service-info/?", handlers.ServiceInfoHandler)]
