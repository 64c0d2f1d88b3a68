// The official client of SDK 2, as agents use it: connects to what the first argument says ({"url": ...} or {"command": ...,
// "args": [...]}), in the era of the second ("legacy", "auto", or {"pin": REVISION}), makes the calls of the third ([[method,
// parameters], ...]), and prints what it got as JSON.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";

const [where, mode, calls] = process.argv.slice(2).map((text) => JSON.parse(text));
const client = new Client({ name: "test", version: "1" }, {
  capabilities: { elicitation: {}, sampling: {}, roots: {} }, versionNegotiation: { mode },
});
client.setRequestHandler("elicitation/create", async () => ({ action: "accept", content: { name: "Ada" } }));
client.setRequestHandler("sampling/createMessage", async ({ params }) => ({
  role: "assistant", content: { type: "text", text: `said to ${params.messages.length}` }, model: "none", stopReason: "endTurn",
}));
client.setRequestHandler("roots/list", async () => ({ roots: [{ uri: "file:///srv/work", name: "work" }] }));
await client.connect(where.url ? new StreamableHTTPClientTransport(new URL(where.url)) : new StdioClientTransport(where));
const told = { era: client.getProtocolEra(), server: client.getServerVersion(), tools: [], answers: [], progress: [] };
told.tools = (await client.listTools()).tools.map((tool) => tool.name);
for (const [method, params] of calls) {
  try {
    const onprogress = (progress) => told.progress.push(progress);
    told.answers.push(await client.request({ method, params }, { onprogress }));
  } catch (error) {
    told.answers.push({ error: `${error.code} ${error.message} ${JSON.stringify(error.data)}` });
  }
}
await client.close();
console.log(JSON.stringify(told));
