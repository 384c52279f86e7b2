"""The submission service in a process of its own, which a test may kill; started with the options of the service."""

from tests.submission_service import SNAPSHOT

from commonshub.submission.app import SubmissionApp


class Killable(SubmissionApp):
    """The service with the policies of the tests."""

    async def start_service(self) -> None:
        await self.grants.stop()
        self.grants.snapshot = SNAPSHOT
        await super().start_service()


if __name__ == "__main__":
    Killable.launch_instance()
