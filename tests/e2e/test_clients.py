"""Real clients through the proxy, unchanged but for the environment that names it and its CA: what is allowed arrives,
and a token in what they ask for is denied, with its row, and never reaches the upstream."""

import base64
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile

from tests.support.gates import Gates
from tests.support.upstream import Upstream
from tests.support.websocket_server import Server

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
CLIENTS = CHECKOUT / "tests" / "clients"
BUILT = CHECKOUT / "build" / "clients"
HOST = "api.demo.test"
LIVE = "live.demo.test"
TOKEN = "ghp_" + "A" * 36
RULE = "dlp.github-pat"
GREETING = "hello from a file"

PYTHON = "/usr/bin/python3"


def python(script: str) -> list[str]:
    return [PYTHON, "-c", script, "{base}/hello.txt"]


def node(script: str) -> list[str]:
    return ["node", "-e", "const url = process.argv[1];" + script, "{base}/hello.txt"]


# Name, command ({base} is a URL without final slash, {dir} an empty folder). It prints or leaves in {dir} what it got.
COMMANDS = [
    ("curl, HTTP/1.1", ["curl", "-sS", "--http1.1", "{base}/hello.txt"]),
    ("curl, HTTP/2 if it may", ["curl", "-sS", "--http2", "{base}/hello.txt"]),
    ("wget", ["wget", "-nv", "-O", "-", "{base}/hello.txt"]),
    ("aria2", ["aria2c", "--allow-overwrite", "--ca-certificate={ca}", "-d", "{dir}", "{base}/hello.txt"]),
    ("w3m", ["w3m", "-o", "ssl_ca_file={ca}", "-dump", "{base}/hello.txt"]),
    ("HTTPie", ["http", "--ignore-stdin", "--verify={ca}", "GET", "{base}/hello.txt"]),
    ("git clone", ["git", "clone", "-q", "{base}/repo.git", "{dir}/repo"]),
    ("pip download", [PYTHON, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--disable-pip-version-check",
                      "--retries", "0", "-d", "{dir}", "--index-url", "{base}/simple/", "hello-demo"]),
    ("npm install", ["npm", "install", "--no-audit", "--no-fund", "--prefix", "{dir}", "--cache", "{dir}/cache",
                     "--fetch-retries=0", "--registry", "{base}/npm/", "hello-demo"]),
    ("apt", ["apt-get", "-o", "Dir::State={dir}", "-o", "Dir::Etc::SourceList={dir}/sources", "-o",
             "Dir::Etc::SourceParts=-", "-o", "Dir::Cache={dir}/cache", "-o", "Acquire::https::Proxy={proxy}", "-o", "Acquire::GzipIndexes=false", "-o",
             "Acquire::https::CAInfo={ca}", "-o", "Acquire::Retries=0", "-o", "APT::Sandbox::User=root", "update"]),
    ("Node https", node("""
        const http = require('http'), https = require('https'), {hostname, pathname} = new URL(url);
        http.request({host: '127.0.0.1', port: process.env.PROXY_PORT, method: 'CONNECT', path: hostname + ':443',
                      headers: {host: hostname + ':443'}})
          .on('connect', (_, socket) => https.get({socket, agent: false, host: hostname, servername: hostname, path: pathname},
            answer => { console.log(answer.statusCode); answer.pipe(process.stdout); })).end();""")),
    ("Node fetch (undici)", node("""
        const {fetch, setGlobalDispatcher, EnvHttpProxyAgent} = require('undici');
        setGlobalDispatcher(new EnvHttpProxyAgent());
        fetch(url).then(async answer => console.log(answer.status, await answer.text()));""")),
    ("Node's own fetch", node("""
        const {setGlobalDispatcher, EnvHttpProxyAgent} = require('undici');  // of which Node's own has no way through a proxy
        setGlobalDispatcher(new EnvHttpProxyAgent());
        globalThis.fetch(url).then(async answer => console.log(answer.status, await answer.text()));""")),
    ("Python urllib", python("""
import sys, urllib.error, urllib.request
try: answer = urllib.request.urlopen(sys.argv[1])
except urllib.error.HTTPError as error: answer = error
print(answer.status, answer.read().decode())""")),
    ("Python requests", python(
        "import requests, sys; answer = requests.get(sys.argv[1]); print(answer.status_code, answer.text)")),
    ("Python httpx", python("import httpx, sys; answer = httpx.get(sys.argv[1]); print(answer.status_code, answer.text)")),
    ("Python httpx, HTTP/2", python("""
import httpx, sys
with httpx.Client(http2=True) as client: answer = client.get(sys.argv[1])
print(answer.status_code, answer.text)""")),
    ("Python aiohttp", python("""
import aiohttp, asyncio, os, ssl, sys
async def main():
    context = ssl.create_default_context(cafile=os.environ['SSL_CERT_FILE'])
    async with aiohttp.ClientSession(trust_env=True) as session:
        async with session.get(sys.argv[1], ssl=context) as answer: print(answer.status, await answer.text())
asyncio.run(main())""")),
    ("Python urllib3", python("""
import os, sys, urllib3
manager = urllib3.ProxyManager(os.environ['https_proxy'], ca_certs=os.environ['SSL_CERT_FILE'])
answer = manager.request('GET', sys.argv[1]); print(answer.status, answer.data.decode())""")),
    ("Python pycurl", python("""
import os, pycurl, sys
curl = pycurl.Curl(); curl.setopt(curl.URL, sys.argv[1]); curl.setopt(curl.CAINFO, os.environ['SSL_CERT_FILE'])
curl.perform(); print(curl.getinfo(curl.RESPONSE_CODE))""")),
    ("Python httplib2", python("""
import httplib2, os, sys
answer, body = httplib2.Http(ca_certs=os.environ['SSL_CERT_FILE']).request(sys.argv[1]); print(answer.status, body.decode())""")),
    ("Perl LWP", ["perl", "-MLWP::UserAgent", "-e", """
        my $agent = LWP::UserAgent->new; $agent->env_proxy; my $answer = $agent->get($ARGV[0]);
        print $answer->code, " ", $answer->decoded_content;""", "{base}/hello.txt"]),
    ("Perl HTTP::Tiny", ["perl", "-MHTTP::Tiny", "-e", """
        my $answer = HTTP::Tiny->new(verify_SSL => 1, SSL_options => {SSL_ca_file => $ENV{SSL_CERT_FILE}})->get($ARGV[0]);
        print $answer->{status}, " ", $answer->{content};""", "{base}/hello.txt"]),
    ("Ruby net/http", ["ruby", "-rnet/http", "-e",
                       "answer = Net::HTTP.get_response(URI(ARGV[0])); puts answer.code, answer.body", "{base}/hello.txt"]),
    ("PHP streams", ["php", "-r", """
        $context = stream_context_create(['http' => ['proxy' => 'tcp://127.0.0.1:' . getenv('PROXY_PORT'),
          'request_fulluri' => false, 'ignore_errors' => true], 'ssl' => ['cafile' => getenv('SSL_CERT_FILE')]]);
        $body = file_get_contents($argv[1], false, $context); echo $http_response_header[0], $body;""", "{base}/hello.txt"]),
    ("Go net/http", ["{built}/fetch", "{base}/hello.txt"]),
]

# Likewise for WebSockets: what it says is an argument more, and it prints the answer, or how the WebSocket was closed.
WEBSOCKETS = [
    ("Node ws", ["node", "-e", """
        const WebSocket = require('ws'), {HttpsProxyAgent} = require('https-proxy-agent');
        const socket = new WebSocket(process.argv[1], {agent: new HttpsProxyAgent(process.env.https_proxy)});
        socket.on('open', () => socket.send(process.argv[2]));
        socket.on('message', answer => { console.log('answer', String(answer)); socket.close(1000); });
        socket.on('close', (code, reason) => console.log('closed', code, String(reason)));
        socket.on('error', error => console.log('error', error.message));""", "{url}", "{words}"]),
    ("Node WebSocket (undici)", ["node", "-e", """
        const {WebSocket, EnvHttpProxyAgent} = require('undici');
        const socket = new WebSocket(process.argv[1], {dispatcher: new EnvHttpProxyAgent()});
        socket.onopen = () => socket.send(process.argv[2]);
        socket.onmessage = answer => { console.log('answer', answer.data); socket.close(1000); };
        socket.onclose = closed => console.log('closed', closed.code, closed.reason);""", "{url}", "{words}"]),
    ("Python aiohttp", [PYTHON, "-c", """
import aiohttp, asyncio, os, ssl, sys
async def main():
    context = ssl.create_default_context(cafile=os.environ['SSL_CERT_FILE'])
    async with aiohttp.ClientSession(trust_env=True) as session:
        async with session.ws_connect(sys.argv[1], ssl=context, proxy=os.environ['https_proxy']) as socket:
            await socket.send_str(sys.argv[2])
            answer = await socket.receive()
            if answer.type is aiohttp.WSMsgType.TEXT: print('answer', answer.data)
            else: print('closed', answer.data, answer.extra)
asyncio.run(main())""", "{url}", "{words}"]),
]

# What shows that it came, where it is not the file's text.
ARRIVED = {"pip download": "\nhello_demo-1.0-py3-none-any.whl: "}
# What a client says of the denial, where it keeps the status to itself.
SAID = {"pip download": "No matching distribution"}


def make_wheel(path: pathlib.Path) -> None:
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("hello_demo.py", "")
        wheel.writestr("hello_demo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: hello-demo\nVersion: 1.0\n")
        wheel.writestr("hello_demo-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
                       "Tag: py3-none-any\n")
        wheel.writestr("hello_demo-1.0.dist-info/RECORD", "")


def make_npm_package(folder: pathlib.Path, base: str) -> None:
    package = folder / "package"
    package.mkdir(parents=True)
    manifest = {"name": "hello-demo", "version": "1.0.0", "description": GREETING}
    (package / "package.json").write_text(json.dumps(manifest))
    tarball = folder / "hello-demo-1.0.0.tgz"
    with tarfile.open(tarball, "w:gz") as archive:
        archive.add(package, "package")
    digest = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    manifest["dist"] = {"tarball": f"{base}/npm/{tarball.name}", "integrity": f"sha512-{digest}"}
    (folder / "hello-demo").write_text(json.dumps(
        {"name": "hello-demo", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": manifest}}))


def make_git_repository(path: pathlib.Path, scratch: pathlib.Path) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@demo.test", "-C", str(scratch), *arguments],
                       check=True, capture_output=True)
    scratch.mkdir()
    git("init", "-q")
    (scratch / "hello.txt").write_text(GREETING)
    git("add", ".")
    git("commit", "-q", "-m", "Say hello")
    git("clone", "-q", "--bare", str(scratch), str(path))
    subprocess.run(["git", "-C", str(path), "update-server-info"], check=True)


def make_apt_repository(folder: pathlib.Path) -> None:
    folder.mkdir()
    packages = (f"Package: hello-demo\nVersion: 1.0\nArchitecture: all\nMaintainer: t <t@demo.test>\n"
                f"Filename: hello.deb\nSize: 1\nSHA256: {'0' * 64}\nDescription: {GREETING}\n").encode()
    (folder / "Packages").write_bytes(packages)
    (folder / "Release").write_text(
        f"Date: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n {hashlib.sha256(packages).hexdigest()} {len(packages)} Packages\n")


class ClientsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-clients-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory, True)
        cls.upstream = Upstream(cls.directory / "upstream", [HOST, LIVE])
        cls.addClassCleanup(cls.upstream.close)
        files = cls.directory / "upstream" / "files"
        cls.base = f"https://{HOST}/files"
        (files / "hello.txt").write_text(GREETING + "\n")
        (files / "simple" / "hello-demo").mkdir(parents=True)
        (files / "simple" / "hello-demo" / "index.html").write_text(
            '<a href="hello_demo-1.0-py3-none-any.whl">hello_demo-1.0-py3-none-any.whl</a>')
        make_wheel(files / "simple" / "hello-demo" / "hello_demo-1.0-py3-none-any.whl")
        make_npm_package(files / "npm", cls.base)
        make_git_repository(files / "repo.git", cls.directory / "source")
        make_apt_repository(files / "apt")
        cls.sockets = Server(cls.directory / "upstream")
        cls.addClassCleanup(cls.sockets.close)
        cls.gates = Gates(cls.directory / "gates", {
            "http": [{"id": "files", "action": "allow", "hosts": [HOST], "methods": ["GET", "HEAD"], "paths": ["/files/**"]},
                     {"id": "live", "action": "allow", "hosts": [LIVE], "schemes": ["wss"], "paths": ["/live"]}],
            "resolve": {HOST: f"127.0.0.1:{cls.upstream.tls}", LIVE: f"127.0.0.1:{cls.sockets.port}"},
        }, "--upstream-ca", str(cls.upstream.ca), dlp=True)
        cls.addClassCleanup(cls.gates.close)
        cls.build_clients()

    @classmethod
    def build_clients(cls) -> None:
        BUILT.mkdir(parents=True, exist_ok=True)
        shutil.copy(CLIENTS / "package.json", BUILT)
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--prefix", str(BUILT)],
                       check=True, capture_output=True)
        subprocess.run(["go", "build", "-o", str(BUILT / "fetch"), str(CLIENTS / "fetch.go")], check=True,
                       capture_output=True, env={**os.environ, "GO111MODULE": "off"})

    def run_client(self, command: list[str], base: str, words: str = "") -> str:
        """What it printed, and the names and beginnings of the files that it left."""
        ca, proxy = str(self.gates.ca), f"http://127.0.0.1:{self.gates.port}"
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.directory), "LANG": "C.UTF-8", "NODE_PATH": str(BUILT / "node_modules"),
            "PROXY_PORT": str(self.gates.port),
            **{name: proxy for name in ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "npm_config_proxy")},
            **{name: ca for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "PIP_CERT",
                                     "NODE_EXTRA_CA_CERTS", "npm_config_cafile", "PERL_LWP_SSL_CA_FILE")},
        }
        with tempfile.TemporaryDirectory(dir=self.directory) as folder:
            (pathlib.Path(folder) / "wgetrc").write_text(f"ca_certificate = {ca}\ntries = 1\n")
            environment["WGETRC"] = f"{folder}/wgetrc"
            (pathlib.Path(folder) / "sources").write_text(f"deb [trusted=yes] {base}/apt /\n")
            filled = [part.replace("{base}", base).replace("{dir}", folder).replace("{ca}", ca)
                      .replace("{built}", str(BUILT)).replace("{proxy}", proxy).replace("{url}", f"wss://{LIVE}/live")
                      .replace("{words}", words) for part in command]
            done = subprocess.run(filled, env=environment, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
                                  text=True, timeout=120)
            left = [path for path in pathlib.Path(folder).rglob("*") if path.is_file()]
            printed = f"exit {done.returncode}\n" + done.stdout + done.stderr
            for path in left:
                printed += f"\n{path.name}: {path.read_text(errors='replace')[:4096]}"
        return printed

    def rows_after(self, count: int) -> list[dict]:
        """Those of our host: some clients also ask their maker for news, and are denied."""
        return [row for row in self.gates.rows()[count:] if row["host"] == HOST]

    def test_what_is_allowed_arrives_and_a_token_does_not_leave(self):
        for name, command in COMMANDS:
            with self.subTest(name):
                rows = len(self.gates.rows())
                words = self.run_client(command, self.base)
                self.assertIn(ARRIVED.get(name, GREETING), words)
                allowed = self.rows_after(rows)
                self.assertTrue(allowed, words)
                self.assertEqual({row["rule_id"] for row in allowed}, {"files"}, words)

                asked = len(self.upstream.requests())
                rows = len(self.gates.rows())
                words = self.run_client(command, f"{self.base}/{TOKEN}")
                self.assertEqual(self.upstream.requests()[asked:], [], words)
                denied = self.rows_after(rows)
                self.assertTrue(denied, words)
                self.assertEqual({(row["verdict"], row["rule_id"]) for row in denied}, {("deny", RULE)}, words)
                self.assertNotIn(TOKEN, str(denied))
                self.assertIn(SAID.get(name, "403"), words)

    def test_what_a_websocket_says_arrives_and_a_token_does_not(self):
        for name, command in WEBSOCKETS:
            with self.subTest(name):
                self.sockets.received.clear()
                printed = self.run_client(command, self.base, f"hello from {name}")
                self.assertIn(f"answer hello from {name}", printed)
                self.assertEqual(self.sockets.received, [f"hello from {name}"])

                printed = self.run_client(command, self.base, f"my key is {TOKEN}")
                rows = self.gates.rows(host=LIVE)
                self.assertEqual([(row["verdict"], row["rule_id"]) for row in rows[-2:]], [("allow", "live"), ("deny", RULE)])
                self.assertIn(f"closed 1008 {RULE} event {rows[-1]['event_id']}", printed)
                self.assertEqual(len(self.sockets.received), 1)
                self.assertNotIn(TOKEN, str(rows))


if __name__ == "__main__":
    sys.exit(unittest.main())
