"""A way into a proxy for clients that know nothing of it."""

import socket
import threading

from tests.support.gates import Gates


class Door:
    """A TCP port whose connections reach the proxy as those of a guest do that dials `port` of an address."""

    def __init__(self, gates: Gates, port: int):
        self.gates, self.destination = gates, port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(client,), daemon=True).start()

    def _join(self, client):
        with client, self.gates.dial("198.18.0.7", self.destination) as inside:
            inside.settimeout(None)
            back = threading.Thread(target=self._copy, args=(inside, client), daemon=True)
            back.start()
            self._copy(client, inside)
            back.join()

    @staticmethod
    def _copy(source, sink):
        try:
            while piece := source.recv(65536):
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.listener.close()
