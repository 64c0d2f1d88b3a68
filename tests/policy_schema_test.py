#!/usr/bin/env python3
"""policies/schema.json is a valid JSON Schema, takes every shipped policy, and refuses what the reader refuses.

That it knows the same keys as the reader is shown by common/policy/schema_test.cc.
"""

import json
import pathlib
import unittest

import jsonschema

POLICIES = pathlib.Path(__file__).resolve().parent.parent / "policies"


def without_comments(text):
    """Blanks // and /* */ outside strings, so that the json module reads the rest."""
    out, at = [], 0
    while at < len(text):
        if text[at] == '"':
            end = at + 1
            while text[end] != '"':
                end += 2 if text[end] == "\\" else 1
            out.append(text[at : end + 1])
            at = end + 1
        elif text.startswith("//", at):
            at = text.find("\n", at)
        elif text.startswith("/*", at):
            at = text.index("*/", at) + 2
        else:
            out.append(text[at])
            at += 1
    return "".join(out)


class PolicySchema(unittest.TestCase):
    def setUp(self):
        self.schema = json.loads((POLICIES / "schema.json").read_text())
        self.validator = jsonschema.Draft202012Validator(self.schema)

    def test_is_a_json_schema(self):
        jsonschema.Draft202012Validator.check_schema(self.schema)

    def test_takes_every_shipped_policy(self):
        policies = [p for p in POLICIES.glob("*.json") if p.name != "schema.json"]
        self.assertGreaterEqual(len(policies), 3)
        for path in policies:
            with self.subTest(path.name):
                self.validator.validate(json.loads(without_comments(path.read_text())))

    def test_refuses_what_the_reader_refuses(self):
        rule = {"id": "r", "action": "allow", "hosts": ["a.example.com"]}
        cases = [
            {},
            {"version": 2},
            {"version": 1, "htpp": []},
            {"version": 1, "mcp": {"servers": {"files": {}}}},
            {"version": 1, "mcp": {"servers": {"s": {"command": ["x"], "names": "short"}}}},
            {"version": 1, "mcp": {"servers": {"s": {"command": ["x"], "asks": ["tools"]}}}},
            {"version": 1, "mcp": {"resources": [{"id": "r", "action": "allow", "server": "s", "uris": ["/x"]}]}},
            {"version": 1, "mcp": {"prompts": [{"id": "p", "action": "allow", "server": "s", "uris": []}]}},
            {"version": 1, "git": [{"id": "g", "action": "allow", "remotes": ["http://git.example.com/a"]}]},
            {"version": 1, "dlp": {"denied": []}},
            {"version": 1, "http": [{**rule, "action": "block"}]},
            {"version": 1, "http": [{**rule, "hosts": ["*"]}]},
            {"version": 1, "http": [{**rule, "hosts": ["@nmp"]}]},
            {"version": 1, "http": [{**rule, "ports": [0]}]},
            {"version": 1, "http": [{**rule, "host": "x"}]},
            {"version": 1, "http": [{**rule, "query": ["q"]}]},
            {"version": 1, "http": [{**rule, "query": {"q": 1}}]},
            {"version": 1, "http": [{**rule, "headers": {"X Y": True}}]},
            {"version": 1, "http": [{**rule, "request_body": "1TB"}]},
            {"version": 1, "tests": [{"expect": "deny"}]},
        ]
        for case in cases:
            with self.subTest(json.dumps(case)):
                self.assertFalse(self.validator.is_valid(case))


if __name__ == "__main__":
    unittest.main()
