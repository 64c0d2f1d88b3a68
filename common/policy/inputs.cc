#include "common/policy/inputs.h"

#include <nlohmann/json.hpp>

namespace gatehouse::policy {

namespace {

using Json = nlohmann::json;

constexpr int kVersion = 1;

Json to_tree(const Source& source) {
  return {{"name", source.name}, {"machine_wide", source.machine_wide}, {"text", source.text}};
}

Source read_source(const Json& tree) {
  return {tree.at("name").get<std::string>(), tree.at("text").get<std::string>(), tree.at("machine_wide").get<bool>()};
}

RegistryOrigin read_origin(const Json& tree) {
  return {tree.at("https").get<bool>(), tree.at("host").get<std::string>(), tree.at("port").get<uint16_t>()};
}

PolicyInputs read(const Json& tree) {
  PolicyInputs inputs;
  for (const auto& layer : tree.at("layers")) inputs.layers.push_back(read_source(layer));
  for (const auto& [name, source] : tree.at("shipped").items()) inputs.shipped[name] = read_source(source);
  for (const auto& [symbol, origins] : tree.at("registries").items()) {
    for (const auto& origin : origins) inputs.registries[symbol].push_back(read_origin(origin));
  }
  return inputs;
}

}  // namespace

// A policy's text is UTF-8, or it would have been refused; a path may be anything.
std::string to_json(const PolicyInputs& inputs) {
  Json tree{{"snapshot", kVersion}, {"layers", Json::array()}, {"shipped", Json::object()}, {"registries", {}}};
  tree["registries"] = Json::object();
  for (const auto& layer : inputs.layers) tree["layers"].push_back(to_tree(layer));
  for (const auto& [name, source] : inputs.shipped) tree["shipped"][name] = to_tree(source);
  for (const auto& [symbol, origins] : inputs.registries) {
    auto& list = tree["registries"][symbol] = Json::array();
    for (const auto& origin : origins) {
      list.push_back({{"https", origin.https}, {"host", origin.host}, {"port", origin.port}});
    }
  }
  return tree.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<PolicyInputs> parse_inputs(std::string_view json) {
  try {
    const Json tree = Json::parse(json);
    if (tree.at("snapshot") != kVersion) return fail("is no snapshot of version {}", kVersion);
    return read(tree);
  } catch (const Json::exception& error) {
    return fail("is no snapshot of a policy: {}", error.what());
  }
}

}  // namespace gatehouse::policy
