// Content, resources, and prompts.
import { fromJsonSchema, ResourceTemplate } from "@modelcontextprotocol/server";

export const text = (words) => ({ type: "text", text: words });
export const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
export const IMAGE = { type: "image", data: PIXEL, mimeType: "image/png" };
const silence = Buffer.alloc(44); // a WAV file of no samples
silence.write("RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0", 0, "latin1");
silence.writeUInt32LE(8000, 24);
silence.writeUInt32LE(8000, 28);
silence.writeUInt16LE(1, 32);
silence.writeUInt16LE(8, 34);
silence.write("data", 36);
export const AUDIO = { type: "audio", data: silence.toString("base64"), mimeType: "audio/wav" };

export function addResources(server, era) {
  const fixed = (name, uri, mimeType, content) =>
    server.registerResource(name, uri, { description: `Conformance: ${name}`, mimeType },
      async () => ({ contents: [{ uri, mimeType, ...content }] }));
  fixed("static-text", "test://static-text", "text/plain", { text: "This is the content of the static text resource." });
  fixed("static-binary", "test://static-binary", "image/png", { blob: PIXEL });
  fixed("watched", "test://watched-resource", "text/plain", { text: "Watched." });
  server.registerResource("template", new ResourceTemplate("test://template/{id}/data", { list: undefined }),
    { description: "Conformance: a template", mimeType: "application/json" },
    async (uri, { id }) => ({
      contents: [{
        uri: uri.href, mimeType: "application/json",
        text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }),
      }],
    }));
  if (era === "legacy")
    for (const method of ["resources/subscribe", "resources/unsubscribe"])
      server.server.setRequestHandler(method, async () => ({}));
}

const says = (...content) => ({ messages: content.map((one) => ({ role: "user", content: one })) });
const described = (name, more = {}) => [name, { description: `Conformance: ${name}`, ...more }];

export const addPassingPrompt = (server) =>
  server.registerPrompt(...described("test_passing_prompt"), async () => says(text("here for now")));

export function addPrompts(server) {
  const strings = (...names) => fromJsonSchema({
    type: "object", required: names,
    properties: Object.fromEntries(names.map((name) => [name, { type: "string", description: `Conformance: ${name}` }])),
  });
  server.registerPrompt(...described("test_simple_prompt"), async () => says(text("This is a simple prompt for testing.")));
  server.registerPrompt(...described("test_prompt_with_arguments", { argsSchema: strings("arg1", "arg2") }),
    async ({ arg1, arg2 }) => says(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)));
  server.registerPrompt(...described("test_prompt_with_embedded_resource", { argsSchema: strings("resourceUri") }),
    async ({ resourceUri }) => says(
      { type: "resource",
        resource: { uri: resourceUri, mimeType: "text/plain", text: "Embedded resource content for testing." } },
      text("Please process the embedded resource above.")));
  server.registerPrompt(...described("test_prompt_with_image"),
    async () => says(IMAGE, text("Please analyze the image above.")));
  server.server.setRequestHandler("completion/complete", async ({ params }) => {
    const values = ["test", "testing", "paris"].filter((word) => word.startsWith(params.argument.value));
    return { completion: { values, total: values.length, hasMore: false } };
  });
}
