"""TLS in front of a server that has none."""

import socket
import ssl
import threading


class TlsTerminator:
    """Takes TLS on self.port, and copies what is inside to and from 127.0.0.1:`port`."""

    def __init__(self, certificate: tuple[str, str], port: int):
        self.behind = port
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*certificate)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(stream,), daemon=True).start()

    def _carry(self, stream: socket.socket):
        try:
            with self.context.wrap_socket(stream, server_side=True) as outer, \
                    socket.create_connection(("127.0.0.1", self.behind)) as inner:
                up = threading.Thread(target=_copy, args=(outer, inner), daemon=True)
                up.start()
                _copy(inner, outer)
                outer.shutdown(socket.SHUT_RDWR)
                up.join()
        except OSError:
            pass

    def close(self):
        self.listener.close()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    try:
        while piece := source.recv(65536):
            sink.sendall(piece)
        if not isinstance(sink, ssl.SSLSocket):
            sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass
