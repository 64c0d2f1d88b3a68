// Tools and a prompt that ask the client something before they answer. In the session era the SDK turns what is asked into
// requests to the client.
import { acceptedContent, fromJsonSchema, inputRequired, inputResponse } from "@modelcontextprotocol/server";
import { text } from "./contents.mjs";

const object = (properties, required = Object.keys(properties)) => ({ type: "object", properties, required });
const string = { type: "string" };
const ask = (message, requestedSchema) => inputRequired.elicit({ message, requestedSchema });
const name = ask("What is your name?", object({ name: string }));
const sample = (words, maxTokens) => inputRequired.createMessage(
  { messages: [{ role: "user", content: { type: "text", text: words } }], maxTokens });

const defaults = object({
  name: { type: "string", default: "John Doe" },
  age: { type: "integer", default: 30 },
  score: { type: "number", default: 95.5 },
  status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
  verified: { type: "boolean", default: true },
}, []);

const titled = (...words) => words.map((title, at) => ({ const: `value${at + 1}`, title }));
const enums = object({
  untitledSingle: { type: "string", enum: ["option1", "option2", "option3"] },
  titledSingle: { type: "string", oneOf: titled("First Option", "Second Option", "Third Option") },
  legacyEnum: { type: "string", enum: ["opt1", "opt2", "opt3"], enumNames: ["Option One", "Option Two", "Option Three"] },
  untitledMulti: { type: "array", items: { type: "string", enum: ["option1", "option2", "option3"] } },
  titledMulti: { type: "array", items: { anyOf: titled("First Choice", "Second Choice", "Third Choice") } },
}, []);

function capabilities(server, ctx) {
  return ctx.mcpReq.envelope?.["io.modelcontextprotocol/clientCapabilities"] ?? server.server.getClientCapabilities() ?? {};
}

export function addAsking(server, states) {
  // `requests(arguments, context)` are asked for until each has an answer; `answer(responses)` is the text then.
  function asking(tool, requests, answer, properties = {}, state = undefined) {
    server.registerTool(tool, { description: `Conformance: ${tool}`, inputSchema: fromJsonSchema(object(properties)) },
      async (args, ctx) => {
        const wanted = requests(args, ctx);
        const given = ctx.mcpReq.inputResponses ?? {};
        const open = Object.keys(wanted).some((key) => inputResponse(given, key).kind === "missing");
        if (open || (state && !ctx.mcpReq.requestState())) {
          const requestState = state && (await states.mint({ tool }, ctx));
          return inputRequired({ inputRequests: wanted, ...(state ? { requestState } : {}) });
        }
        return { content: [text(answer(given))] };
      });
  }
  const told = (given) => JSON.stringify(given);

  asking("test_sampling", ({ prompt }) => ({ sampled: sample(prompt, 100) }),
    (given) => `LLM response: ${given.sampled.content.text}`, { prompt: string });
  asking("test_elicitation",
    ({ message }) => ({ user: ask(message, object({ username: string, email: string })) }),
    ({ user }) => `User response: action=${user.action}, content=${told(user.content)}`, { message: string });
  for (const [tool, schema] of [["test_elicitation_sep1034_defaults", defaults], ["test_elicitation_sep1330_enums", enums]])
    asking(tool, () => ({ user: ask("Please choose", schema) }),
      ({ user }) => `Elicitation completed: action=${user.action}, content=${told(user.content)}`);

  asking("test_missing_capability", () => ({ sampled: sample("Hello", 100) }), told); // the SDK refuses, when it cannot
  asking("test_streaming_elicitation", () => ({ user_name: name }), told);
  asking("test_input_required_result_elicitation", () => ({ user_name: name }),
    (given) => `Hello, ${acceptedContent(given, "user_name")?.name}!`);
  asking("test_input_required_result_sampling", () => ({ capital_question: sample("What is the capital of France?", 100) }),
    (given) => given.capital_question.content.text);
  asking("test_input_required_result_list_roots", () => ({ client_roots: inputRequired.listRoots() }),
    (given) => told(given.client_roots.roots));
  const confirm = { confirm: ask("Please confirm", object({ ok: { type: "boolean" } })) };
  for (const tool of ["test_input_required_result_request_state", "test_input_required_result_tampered_state"])
    asking(tool, () => confirm, () => "state-ok", {}, true);
  asking("test_input_required_result_multiple_inputs",
    () => ({ user_name: name, greeting: sample("Generate a greeting", 50), client_roots: inputRequired.listRoots() }),
    told, {}, true);
  asking("test_input_required_result_capabilities", (_, ctx) => {
    const able = capabilities(server, ctx);
    return {
      ...(able.elicitation && { user_name: name }),
      ...(able.sampling && { greeting: sample("Generate a greeting", 50) }),
    };
  }, told);

  const tool = "test_input_required_result_multi_round";
  server.registerTool(tool, { description: `Conformance: ${tool}`, inputSchema: fromJsonSchema(object({})) }, async (_, ctx) => {
    const before = ctx.mcpReq.requestState();
    const step = before?.step ?? 0;
    const got = acceptedContent(ctx.mcpReq.inputResponses, `step${step}`);
    const known = { ...before?.known, ...got };
    if (step === 2 && got) return { content: [text(`${known.name} likes ${known.color}.`)] };
    const next = got ? step + 1 : Math.max(step, 1);
    const question = next === 1 ? ask("Step 1: What is your name?", object({ name: string }))
      : ask("Step 2: What is your favorite color?", object({ color: string }));
    return inputRequired({
      inputRequests: { [`step${next}`]: question }, requestState: await states.mint({ step: next, known }, ctx),
    });
  });

  server.registerPrompt("test_input_required_result_prompt", { description: "Asks for its context" }, async (ctx) => {
    const context = acceptedContent(ctx.mcpReq.inputResponses, "user_context")?.context;
    if (context === undefined)
      return inputRequired({
        inputRequests: { user_context: ask("What context should the prompt use?", object({ context: string })) },
      });
    return { messages: [{ role: "user", content: text(`Context: ${context}`) }] };
  });
}
