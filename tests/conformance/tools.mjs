// Tools that only answer.
import { fromJsonSchema } from "@modelcontextprotocol/server";
import { AUDIO, IMAGE, pause, text } from "./contents.mjs";

const nothing = fromJsonSchema({ type: "object", properties: {} });
const resource = (uri, mimeType, words) => ({ type: "resource", resource: { uri, mimeType, text: words } });

// Keywords of JSON Schema 2020-12 that must come through as they are.
const schema2020 = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  $defs: {
    address: { $anchor: "addressDef", type: "object", properties: { street: { type: "string" }, city: { type: "string" } } },
  },
  properties: {
    name: { type: "string" },
    address: { $ref: "#/$defs/address" },
    contactMethod: { type: "string", enum: ["phone", "email"] },
    phone: { type: "string" },
    email: { type: "string" },
  },
  allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
  if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
  then: { required: ["phone"] },
  else: { required: ["email"] },
  additionalProperties: false,
};

// Calls `run(context)` and takes what it gives for the content.
function simple(server, name, run) {
  return server.registerTool(name, { description: `Conformance: ${name}`, inputSchema: nothing },
    async (_, ctx) => ({ content: [await run(ctx)].flat() }));
}

export const addPassingTool = (server) => simple(server, "test_passing_tool", () => text("here for now"));

// `change("tool")` makes a tool come or go for all clients, `change("prompt")` a prompt.
export function addTools(server, change) {
  simple(server, "test_simple_text", () => text("This is a simple text response for testing."));
  simple(server, "test_image_content", () => IMAGE);
  simple(server, "test_audio_content", () => AUDIO);
  simple(server, "test_embedded_resource",
    () => resource("test://embedded-resource", "text/plain", "This is an embedded resource content."));
  simple(server, "test_multiple_content_types", () => [
    text("Multiple content types test:"), IMAGE,
    resource("test://mixed-content-resource", "application/json", JSON.stringify({ test: "data", value: 123 })),
  ]);
  simple(server, "test_error_handling", () => {
    throw new Error("This tool intentionally returns an error for testing");
  });
  simple(server, "test_tool_with_logging", async (ctx) => {
    for (const words of ["Tool execution started", "Tool processing data", "Tool execution completed"]) {
      await ctx.mcpReq.log("info", words);
      await pause(50);
    }
    return text("logged");
  });
  simple(server, "test_logging_tool", async (ctx) => {
    await ctx.mcpReq.log("info", "only for those who asked for it");
    return text("logged");
  });
  simple(server, "test_tool_with_progress", async (ctx) => {
    const progressToken = ctx.mcpReq._meta?.progressToken;
    for (const progress of [0, 50, 100]) {
      if (progressToken !== undefined)
        await ctx.mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress, total: 100 } });
      await pause(50);
    }
    return text("done");
  });
  for (const what of ["tool", "prompt"])
    simple(server, `test_trigger_${what}_change`, () => {
      change(what);
      return text("changed");
    });
  const answer = async () => ({ content: [text("taken")] });
  server.registerTool("json_schema_2020_12_tool",
    { description: "Tool with JSON Schema 2020-12 features", inputSchema: fromJsonSchema(schema2020) }, answer);
  server.registerTool("test_header_parameter", {
    description: "Has a parameter that is repeated in a header",
    inputSchema: fromJsonSchema({
      type: "object", properties: { region: { type: "string", "x-mcp-header": "Region" } }, required: ["region"],
    }),
  }, answer);
}
