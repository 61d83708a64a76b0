"""A TCP proxy on loopback that hands on what it hears at once, and what is answered only after a while."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class LateAnswers:
    """`delay` seconds from the listener to the sender; none the other way. It may be changed at any time."""

    def __init__(self, to_port: int, delay: float) -> None:
        self.delay, self.port = delay, 0
        self._to_port = to_port

    async def serve(self) -> asyncio.Server:
        """Listen; the port is known then."""
        server = await asyncio.start_server(self._pair, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _pair(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._to_port)
        await asyncio.gather(
            self._hand_on(reader, there_writer, late=False),
            self._hand_on(there_reader, writer, late=True),
        )

    async def _hand_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, late: bool
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if late:
                    await asyncio.sleep(self.delay)
                writer.write(data)
                await writer.drain()
        with suppress(OSError, RuntimeError):
            writer.write_eof()


async def _end(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@contextmanager
def late_answers(to_port: int, delay: float) -> Iterator[LateAnswers]:
    """The proxy in a thread of its own."""
    loop, proxy = asyncio.new_event_loop(), LateAnswers(to_port, delay)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(proxy.serve(), loop).result(20)
    try:
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
