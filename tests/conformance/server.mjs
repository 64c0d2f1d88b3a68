// A server that has what the conformance suite's server scenarios ask for, in both eras of the protocol:
//   server.mjs PORT      over HTTP on 127.0.0.1, where the suite speaks to it directly
//   server.mjs --stdio   over its standard streams, where the gateway starts it
import { createServer } from "node:http";
import { randomUUID } from "node:crypto";
import { toNodeHandler } from "@modelcontextprotocol/node";
import {
  createMcpHandler, createRequestStateCodec, hostHeaderValidationResponse, isLegacyRequest, localhostAllowedHostnames,
  localhostAllowedOrigins, McpServer, originValidationResponse, WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { addAsking } from "./asking.mjs";
import { addPassingPrompt, addPrompts, addResources } from "./contents.mjs";
import { addPassingTool, addTools } from "./tools.mjs";

const states = createRequestStateCodec({ key: Buffer.alloc(32, "a key for tests") });
const passing = { tool: addPassingTool, prompt: addPassingPrompt }; // these come and go while it runs
const there = new Set();
const instances = new Set(); // each is a server and what of `passing` it has

function build({ era }) {
  const server = new McpServer({ name: "conformance-fixture", version: "1.0.0" }, {
    capabilities: {
      tools: { listChanged: true }, prompts: { listChanged: true }, completions: {}, logging: {},
      resources: { listChanged: true, subscribe: true },
    },
    requestState: { verify: states.verify },
  });
  addTools(server, change);
  addAsking(server, states);
  addResources(server, era);
  addPrompts(server);
  const instance = { server, has: {} };
  for (const what of there) instance.has[what] = passing[what](server);
  instances.add(instance);
  server.server.onclose = () => instances.delete(instance);
  return server;
}

let notify; // of HTTP's listeners in the modern era, where each request has a server of its own
function change(what) {
  const comes = !there.delete(what);
  if (comes) there.add(what);
  for (const { server, has } of instances)
    if (comes) has[what] = passing[what](server);
    else has[what].remove();
  what === "tool" ? notify?.toolsChanged() : notify?.promptsChanged();
}

// The session era over HTTP: one server a session.
const sessions = new Map();
async function session(request) {
  const known = request.headers.get("mcp-session-id");
  if (known) return sessions.get(known)?.handleRequest(request) ?? new Response("no such session", { status: 404 });
  const transport = new WebStandardStreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => void sessions.set(id, transport),
    onsessionclosed: (id) => void sessions.delete(id),
  });
  await build({ era: "legacy" }).connect(transport);
  return transport.handleRequest(request);
}

if (process.argv[2] === "--stdio") {
  serveStdio(build);
} else {
  const modern = createMcpHandler(build, { legacy: "reject" });
  notify = modern.notify;
  const fetch = async (request) =>
    hostHeaderValidationResponse(request, localhostAllowedHostnames()) ??
    originValidationResponse(request, localhostAllowedOrigins()) ??
    ((await isLegacyRequest(request)) ? session(request) : modern.fetch(request));
  createServer(toNodeHandler({ fetch })).listen(Number(process.argv[2]), "127.0.0.1", () => console.log("ready"));
}
