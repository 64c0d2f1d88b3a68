// What the audit log records. Each struct is one row of the table named in its comment. Every row also gets event_id,
// time, session, writer, seq and hash from the log itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/verdict.h"

namespace gatehouse::audit {

// net_events: one attempt to reach something, written before a byte of it goes anywhere.
struct NetEvent {
  std::string event_id;  // make_uuid(); quoted in the denial the agent reads
  std::string trace_id;  // shared by all rows of one exchange, across tables
  Decision decision;
  std::string channel;  // "http" (port 80 style), "https", "tls" (not intercepted), "connect" (explicit CONNECT), "tcp"
                        // (neither TLS nor HTTP), "vsock"
  std::string host;     // the name judged; empty when there was none (raw address)
  std::string address;  // what the guest dialled, "198.18.0.7" or "8.8.8.8"; empty for explicit proxying
  uint16_t port = 0;
  std::string sni;
  std::string method;
  std::string path;    // without query string, so that no secret parameter is logged
  std::string detail;  // anything else a person needs, printable
};

// net_results: how an allowed exchange ended. Rows are never edited, so the end is a row of its own.
struct NetResult {
  std::string event_id;  // of the NetEvent
  std::string trace_id;
  int status = 0;                // HTTP status the guest got; 0 when none
  std::string upstream_address;  // the checked address that was dialled; empty when none was
  uint64_t bytes_out = 0;        // body bytes, guest to upstream
  uint64_t bytes_in = 0;         // body bytes, upstream to guest
  uint64_t duration_us = 0;
  std::string error;  // empty when it went well
};

// dns_events: one question.
struct DnsEvent {
  std::string event_id;
  std::string trace_id;
  Decision decision;
  std::string name;     // lower case, without the final dot, printable
  std::string type;     // "A", "AAAA", "TYPE65"...
  std::string rcode;    // "NOERROR", "NXDOMAIN"...
  std::string address;  // what was answered from the pool, or empty
};

// exec_events: a command run in the guest.
struct ExecEvent {
  std::string trace_id;
  std::vector<std::string> argv;
  std::string phase;  // "start", "exit", "failed"
  std::optional<int> exit_code;
};

// policy_events: which rules were in force.
struct PolicyEvent {
  std::string phase;   // "loaded", "reload-failed"
  std::string files;   // paths, one a line
  std::string sha256;  // of the files' contents
  std::string detail;
};

// process_events: the life of the house.
struct ProcessEvent {
  std::string process;  // "proxy", "dns", "bridge", "qemu", "session"
  int64_t pid = 0;
  std::string phase;  // "start", "exit", "crash", "restart"
  std::string detail;
};

// dlp_findings: something the scanner found, written by the gate that asked, before the verdict's own row. Never holds
// the secret itself.
struct DlpFinding {
  std::string trace_id;   // of the exchange or the question
  Decision decision;      // allow for "warn", "redact" and "exempt", with rule_id "dlp.<rule>"
  std::string channel;    // "https", "http", "dns", "git", "mcp"
  std::string direction;  // "out", "in"
  std::string host;
  std::string rule;
  std::string category;
  std::string action;       // "deny", "redact", "warn", "exempt"
  std::string confidence;   // "low", "medium", "high"
  std::string location;     // "path", "query:token", "header:x-key", "cookie:sid", "body", "name"
  std::string decode_path;  // "gzip>json>base64"; empty when it lay open
  uint64_t offset = 0;      // in the bytes of the location as sent
  uint64_t length = 0;
  std::string prefix;       // the first 4 characters, printable
  std::string fingerprint;  // keyed hash: the same secret has the same one within a session
  std::string exemption;    // the policy's exemption that let it pass
  std::string detail;
};

// model_calls: one request to a language model and what came back, read on its way; it judges nothing. What is not said
// or not understood is absent, never guessed. Token counts mean the same for every provider: input includes what was
// read from and written to a cache, output includes reasoning.
struct ModelCall {
  std::string event_id;  // of the NetEvent
  std::string trace_id;
  std::string provider;  // whose wire format it is: "anthropic", "openai", "google"
  std::string api;       // "messages", "chat-completions", "responses", "generate-content"
  std::string host;
  std::string model;  // as answered, else as asked for
  bool streamed = false;
  int status = 0;
  std::optional<int64_t> input_tokens;
  std::optional<int64_t> output_tokens;
  std::optional<int64_t> cached_tokens;       // of the input: read from a cache
  std::optional<int64_t> cache_write_tokens;  // of the input: written to a cache
  std::optional<int64_t> reasoning_tokens;    // of the output
  std::optional<int64_t> cost_microdollars;   // by the price table; absent for a model that is not in it
  std::string priced_on;                      // that table's date
  std::string stop_reason;                    // in the provider's word
  std::optional<int64_t> first_token_us;      // from the end of the request; of streamed responses
  int64_t latency_us = 0;                     // from the end of the request to the end of the response
  int64_t tool_calls = 0;
  int64_t tool_responses = 0;
  std::string detail;  // "the response's shape is not known", "error: overloaded_error"
};

// tool_calls: what a model asked the agent to run. Arguments may hold secrets: only their size and a keyed hash are
// kept, the same for the same arguments within one run of the proxy.
struct ToolCall {
  std::string trace_id;  // of the model call
  std::string call_id;   // as the model named it; may be empty
  std::string name;
  std::string kind;  // "function", or the provider's word for another: "server_tool_use", "custom"
  uint64_t arguments_bytes = 0;
  std::string arguments_hash;
  std::string call_hash = {};  // keyed, of tool and arguments: that of the mcp_calls row once the agent makes the call
};

// tool_responses: what the agent answered to that, in a later request.
struct ToolResponse {
  std::string trace_id;  // of the request that brings it
  std::string call_id;
  std::string name;           // of the call it answers, if that was seen
  std::string call_trace_id;  // likewise
  bool failed = false;        // the agent says so
  uint64_t content_bytes = 0;
  std::string content_hash;
};

// approvals: who decided on what the policy asks a person for, written before whoever waits is told.
struct Approval {
  std::string trace_id;  // of the exchange that waited
  Decision decision;     // allow or deny, by the policy's rule that asked
  std::string channel;   // "https", "git"...
  std::string what;      // "POST https://api.example.com/x"
  std::string by;        // a user's name; empty: nobody
  std::string scope;     // "once", "session"
};

// git_events: one ref that a push would make, change or remove, with the verdict on it; written before anything of the
// push goes upstream. A push that could not be read has one row without a ref.
struct GitEvent {
  std::string trace_id;  // of the push's net_events row
  Decision decision;
  std::string remote;  // "https://host/path"
  std::string ref;
  std::string old_id;
  std::string new_id;
  std::string kind;  // "create", "update", "force", "delete"
  uint64_t objects = 0;
  uint64_t bytes = 0;                 // of the pack
  std::vector<std::string> findings;  // of the whole push: "dlp.github-pat deny <object id> src/x.env:3"
};

// mcp_calls: one request to a server of tools, or one of its tools that is kept from the guest; written before anything
// of it goes to the server.
struct McpCall {
  std::string event_id;
  std::string trace_id;
  Decision decision;
  std::string method;     // "tools/call", "tools/list"
  std::string server;     // empty for a tool of none
  std::string tool;       // as the server names it, or as it was asked for
  std::string arguments;  // JSON in which texts and numbers are replaced by what they are: "<text of 12>"
  uint64_t arguments_bytes = 0;
  std::string pin;             // hash of the tool's definition; empty where there is none
  std::string call_hash = {};  // as in tool_calls
  std::string asked_by = {};   // event_id of the tool_calls row it follows, whose trace it shares; empty: none known
};

// mcp_results: how a call that went to its server ended.
struct McpResult {
  std::string event_id;  // of the McpCall
  std::string trace_id;
  std::string outcome;  // "result", "tool-error", "error", "withheld", "cancelled", "timeout", "failed"
  uint64_t bytes = 0;   // of what the server answered
  uint64_t duration_us = 0;
  std::string error;
};

using Event = std::variant<NetEvent, NetResult, DnsEvent, ExecEvent, PolicyEvent, ProcessEvent, DlpFinding, ModelCall,
                           ToolCall, ToolResponse, Approval, GitEvent, McpCall, McpResult>;

}  // namespace gatehouse::audit
