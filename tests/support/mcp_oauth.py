"""An authorization server over TLS, and a server of tools that wants its tokens: good, or hostile as attributes say. All
tokens, codes and secrets are made up."""

import base64
import hashlib
import itertools
import json
import urllib.parse

from tests.support.mcp_http_server import HttpTools
from tests.support.tls_server import Asked, TlsServer

CLIENT, SECRET = "gate:house", "made-up client secret"


def form(text: str) -> dict[str, str]:
    return dict(urllib.parse.parse_qsl(text, strict_parsing=True)) if text else {}


def told(status: int, value: dict, headers: dict | None = None):
    return status, {"Content-Type": "application/json", "Cache-Control": "no-store", **(headers or {})}, [json.dumps(value).encode()]


class AuthorizationServer(TlsServer):
    """`grants` are the requests for tokens that were answered with one; `live` has each token's scopes."""

    def __init__(self, certificate: tuple[str, str], host: str, resource: str):
        self.issuer = f"https://{host}"
        self.resource = resource
        self.metadata: dict = {}  # over what it says of itself
        self.lifetime: int | None = 3600
        self.iss: str | None = self.issuer  # that the browser is sent back with
        self.withheld: set[str] = set()  # scopes that nobody gets
        self.live: dict[str, set[str]] = {}
        self.refreshable: dict[str, set[str]] = {}
        self.codes: dict[str, dict] = {}
        self.clients: dict[str, dict] = {}  # that registered
        self.grants: list[dict] = []
        self._numbers = itertools.count(1)
        super().__init__(certificate)
        self.answer = self.speak

    def speak(self, asked: Asked):
        path, _, query = asked.path.partition("?")
        serve = {"/.well-known/oauth-authorization-server": self.describe, "/authorize": self.ask_person,
                 "/register": self.register, "/token": self.issue}.get(path)
        return serve(asked, form(query)) if serve else told(404, {})

    def describe(self, _: Asked, __):
        return told(200, {"issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/authorize",
                          "token_endpoint": f"{self.issuer}/token", "registration_endpoint": f"{self.issuer}/register",
                          "response_types_supported": ["code"], "code_challenge_methods_supported": ["S256"],
                          "token_endpoint_auth_methods_supported": ["none", "client_secret_basic"],
                          "authorization_response_iss_parameter_supported": True, **self.metadata})

    def register(self, asked: Asked, _):
        client = f"registered-{next(self._numbers)}"
        self.clients[client] = json.loads(asked.body)
        return told(201, {**self.clients[client], "client_id": client})

    def ask_person(self, _: Asked, query: dict):
        """A person who says yes."""
        redirect = query["redirect_uri"]
        if redirect not in self.clients[query["client_id"]]["redirect_uris"] or query["code_challenge_method"] != "S256":
            return told(400, {})
        code = f"code+{next(self._numbers)}/made-up"
        self.codes[code] = query
        back = {"code": code, "state": query["state"], **({"iss": self.iss} if self.iss else {})}
        return 302, {"Location": f"{redirect}?{urllib.parse.urlencode(back)}"}, [b""]

    def issue(self, asked: Asked, _):
        wanted = form(asked.body.decode())
        if wanted.get("resource") != self.resource:
            return told(400, {"error": "invalid_target"})
        scopes = set(wanted.get("scope", "").split())
        if wanted["grant_type"] == "client_credentials":
            pair = f"{urllib.parse.quote(CLIENT, safe='')}:{urllib.parse.quote(SECRET, safe='')}"
            if asked.headers.get("authorization") != "Basic " + base64.b64encode(pair.encode()).decode():
                return told(401, {"error": "invalid_client", "error_description": "evil words"})
        elif wanted["grant_type"] == "authorization_code":
            known = self.codes.pop(wanted["code"], None)
            challenge = base64.urlsafe_b64encode(hashlib.sha256(wanted["code_verifier"].encode()).digest()).decode().rstrip("=")
            if not known or (known["client_id"], known["redirect_uri"], known["code_challenge"]) != (
                    wanted["client_id"], wanted["redirect_uri"], challenge):
                return told(400, {"error": "invalid_grant"})
            scopes = set(known.get("scope", "").split())
        else:
            scopes = self.refreshable.pop(wanted["refresh_token"], None)  # each serves once
            if scopes is None:
                return told(400, {"error": "invalid_grant"})
        scopes = scopes - self.withheld
        self.grants.append(wanted)
        token = f"made-up-access-{next(self._numbers)}.{'t' * 24}"
        self.live[token] = scopes
        answer = {"access_token": token, "token_type": "Bearer", "scope": " ".join(sorted(scopes))}
        if self.lifetime is not None:
            answer["expires_in"] = self.lifetime
        if wanted["grant_type"] != "client_credentials":
            answer["refresh_token"] = f"made-up-refresh-{next(self._numbers)}"
            self.refreshable[answer["refresh_token"]] = scopes
        return told(200, answer)


class OauthTools(HttpTools):
    """A server of tools at `host` that takes tokens of `issuer` alone; `privileged` is the scope that calls need besides."""

    def __init__(self, certificate: tuple[str, str], host: str):
        self.place = f"https://{host}/mcp"
        self.issuer: AuthorizationServer | None = None
        self.named: list[str] = []  # authorization servers in its metadata
        self.privileged = ""
        super().__init__(certificate)
        self.answer = self.guard

    def guard(self, asked: Asked):
        if asked.path == "/.well-known/oauth-protected-resource/mcp":
            return told(200, {"resource": self.place, "authorization_servers": self.named, "scopes_supported": ["read"]})
        scheme, _, token = asked.headers.get("authorization", "").partition(" ")
        scopes = self.issuer.live.get(token) if scheme == "Bearer" else None
        if scopes is None:
            return 401, {"WWW-Authenticate": 'Bearer realm="tools"'}, [b"evil words"]
        if self.privileged and b'"tools/call"' in asked.body and self.privileged not in scopes:
            return 403, {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{self.privileged}"'}, [b""]
        return self.speak(asked)
