"""A WebSocket server over TLS."""

import asyncio
import pathlib
import ssl
import threading

import websockets


class Server:
    """Echoes, and keeps what it is sent."""

    def __init__(self, directory: pathlib.Path):
        self.received: list = []
        self.opened = 0
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / "server.pem", directory / "server.key")
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()

        async def handle(socket):
            self.opened += 1
            async for message in socket:
                self.received.append(message)
                await socket.send(message)

        async def serve():
            server = await websockets.serve(handle, "127.0.0.1", 0, ssl=context, max_size=None, ping_interval=None,
                                            close_timeout=60)
            self.port = server.sockets[0].getsockname()[1]
            ready.set()

        threading.Thread(target=self._run, args=(serve,), daemon=True).start()
        if not ready.wait(10):
            raise TimeoutError("the WebSocket server does not start")

    def _run(self, serve):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(serve())
        self.loop.run_forever()

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
