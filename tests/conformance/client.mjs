// A client for the conformance suite's client scenarios: speaks the era that the suite runs at, lists what the server at
// the last argument has, calls each tool, reads each resource, gets each prompt.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const { MCP_CONFORMANCE_PROTOCOL_VERSION: version, MCP_CONFORMANCE_CONTEXT: context } = process.env;
const client = new Client({ name: "conformance-fixture", version: "1.0.0" }, {
  capabilities: { elicitation: { form: { applyDefaults: true } }, sampling: {}, roots: {} },
  versionNegotiation: { mode: version === "2026-07-28" ? { pin: version } : "legacy" },
});
client.setRequestHandler("elicitation/create", async () => ({ action: "accept", content: {} }));
client.setRequestHandler("sampling/createMessage", async () => ({
  role: "assistant", content: { type: "text", text: "sampled" }, model: "none", stopReason: "endTurn",
}));
client.setRequestHandler("roots/list", async () => ({ roots: [] }));
await client.connect(new StreamableHTTPClientTransport(new URL(process.argv.at(-1))));

const { tools } = await client.listTools();
const schemas = Object.fromEntries(tools.map(({ name, inputSchema }) => [name, inputSchema]));
function example(key, { type } = {}) {
  if (key === "schema") return schemas.json_schema_2020_12_tool; // whose keywords are to come back as they were
  return { number: 2, integer: 2, boolean: true, object: {}, array: [] }[type] ?? "example";
}
const given = JSON.parse(context ?? "{}").toolCalls;
const calls = given ?? tools.map(({ name, inputSchema: { required = [], properties = {} } }) => ({
  name, arguments: Object.fromEntries(required.map((key) => [key, example(key, properties[key])])),
}));
for (const call of calls) // of which servers may refuse any
  console.log(JSON.stringify(await client.callTool(call).catch((error) => ({ refused: error.message }))));
const able = client.getServerCapabilities();
for (const { uri } of able?.resources ? (await client.listResources()).resources : []) await client.readResource({ uri });
for (const { name } of able?.prompts ? (await client.listPrompts()).prompts : []) await client.getPrompt({ name });
await client.close();
