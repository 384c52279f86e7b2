"""HTTP of the workflow service."""

from importlib.metadata import version
from typing import ClassVar

from commonshub.core.web import BaseHandler

from .info import service_info


class ServiceInfoHandler(BaseHandler):
    """``GET /ga4gh/wes/v1/service-info``: open to everybody."""

    lenient: ClassVar[bool] = True

    def get(self) -> None:
        commons = self.service.commons
        self.reply(service_info(commons.name, commons.origin, version("commonshub")))
