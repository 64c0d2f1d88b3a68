// What has changed in a tool's definition, for people who decide whether it may.
#pragma once

#include <string>

#include "common/json/strict.h"

namespace gatehouse::mcp {

// Every place where the two differ, as a JSON pointer (RFC 6901), and below it "- " with what was there and "+ " with
// what is there now. Of long texts that agree at their ends the ends are cut to a few characters; what differs is shown
// whole. "" when nothing differs; null has no place that differs. All of it printable ASCII, a line each.
std::string definition_diff(const json::Value& before, const json::Value& after);

}  // namespace gatehouse::mcp
