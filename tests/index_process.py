"""The index in a process of its own, which a test may kill; started with the options of the service."""

from tests.index_service import policies

from commonshub.index.app import IndexApp


class Killable(IndexApp):
    """The index with the policies of the tests."""

    async def start_service(self) -> None:
        await self.grants.stop()
        self.grants.snapshot = policies()
        await super().start_service()


if __name__ == "__main__":
    Killable.launch_instance()
