"""The floor of HTTP figures: tornado answering a small JSON document, and nothing else."""

import asyncio
import sys

from tornado import web

BODY = b'{"did":"00000000-0000-0000-0000-000000000000","size":1,"hashes":{},"urls":[]}'


class EmptyHandler(web.RequestHandler):
    def get(self) -> None:
        self.set_header("Content-Type", "application/json")
        self.finish(BODY)

    post = get


async def main() -> None:
    web.Application([(r"/.*", EmptyHandler)], log_function=lambda handler: None).listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
