// The official client, as agents use it: connects to what the first argument says ({"url": ...} or {"command": ...,
// "args": [...]}), lists, makes the calls of the second ([[tool, arguments], ...]), and prints what it got as JSON.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [where, calls] = process.argv.slice(2).map((text) => JSON.parse(text));
const client = new Client({ name: "test", version: "1" });
const http = where.url ? new StreamableHTTPClientTransport(new URL(where.url)) : undefined;
await client.connect(http ?? new StdioClientTransport(where));
const told = { server: client.getServerVersion(), tools: [], answers: [], progress: [] };
let cursor;
do {
  const page = await client.listTools(cursor ? { cursor } : {});
  told.tools.push(...page.tools.map((tool) => tool.name));
  cursor = page.nextCursor;
} while (cursor);
for (const [name, args] of calls) {
  try {
    const onprogress = (progress) => told.progress.push(progress);
    told.answers.push(await client.callTool({ name, arguments: args }, undefined, { onprogress }));
  } catch (error) {
    told.answers.push({ error: `${error.code} ${error.message} ${JSON.stringify(error.data)}` });
  }
}
if (http) await http.terminateSession();
await client.close();
console.log(JSON.stringify(told));
