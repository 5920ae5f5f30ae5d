#include <nlohmann/json.hpp>

#include "images/registry/limits.h"
#include "images/registry/settings.h"
#include "isolation/base/json.h"
#include "networking/http/url.h"

namespace skiff::images::registry {
namespace {

Result<> CheckHost(const std::string& host, const std::string& path) {
  return networking::http::ParseAuthority(host, true).ok()
             ? Result<>()
             : Result<>(Error(Code::kInvalid, path + ": '" + host + "' is not host[:port]"));
}

Result<RegistryRules> ReadRules(const JsonCursor& object) {
  std::vector<std::string> unknown = object.UnknownMembers(
      {"insecure", "certificateAuthority", "mirrors", "leadsTo", "foreignLayers"});
  if (!unknown.empty()) return Error(Code::kInvalid, unknown[0] + ": unknown");
  RegistryRules rules;
  std::optional<bool> is_insecure = TRY(object.FindBoolean("insecure"));
  rules.is_insecure = is_insecure.value_or(false);
  std::optional<std::string> authority = TRY(object.FindString("certificateAuthority"));
  rules.authority = authority.value_or("");
  rules.mirrors = TRY(object.FindStrings("mirrors"));
  if (rules.mirrors.size() > kMaxMirrors) return object.Invalid("more mirrors than 16");
  for (const std::string& mirror : rules.mirrors) {
    TRY(CheckHost(mirror, object.path() + ".mirrors"));
  }
  std::optional<bool> takes_foreign = TRY(object.FindBoolean("foreignLayers"));
  rules.takes_foreign_layers = takes_foreign.value_or(false);
  std::vector<std::string> blocks = TRY(object.FindStrings("leadsTo"));
  if (blocks.size() > kMaxLeadsTo) return object.Invalid("more blocks in leadsTo than 64");
  for (const std::string& text : blocks) {
    std::optional<networking::http::AddressBlock> block =
        networking::http::AddressBlock::Parse(text);
    if (!block) {
      return Error(Code::kInvalid, object.path() + ".leadsTo: '" + text +
                                       "' is neither an address nor a block of addresses");
    }
    rules.leads_to.push_back(*block);
  }
  return rules;
}

struct Number {
  const char* name;
  int64_t min;
  int64_t max;
  std::function<void(Settings&, int64_t)> set;
};

const std::vector<Number>& Numbers() {
  using std::chrono::milliseconds;
  static const std::vector<Number> kNumbers = {
      {"parallelLayers", 1, 16,
       [](Settings& s, int64_t n) { s.parallel_layers = static_cast<size_t>(n); }},
      {"attempts", 1, 20, [](Settings& s, int64_t n) { s.attempts = static_cast<size_t>(n); }},
      {"retryDelayMilliseconds", 0, 60'000,
       [](Settings& s, int64_t n) { s.retry_delay = milliseconds(n); }},
      {"helperSeconds", 1, 600,
       [](Settings& s, int64_t n) { s.helper_time = std::chrono::seconds(n); }},
      {"connectSeconds", 1, 600,
       [](Settings& s, int64_t n) { s.connect_timeout = milliseconds(n * 1000); }},
      {"idleSeconds", 1, 600,
       [](Settings& s, int64_t n) { s.idle_timeout = milliseconds(n * 1000); }},
      {"leastBytesPerSecond", 0, INT64_MAX,
       [](Settings& s, int64_t n) { s.least_bytes_per_second = static_cast<uint64_t>(n); }},
      {"slowSeconds", 1, 3600,
       [](Settings& s, int64_t n) { s.speed_window = std::chrono::seconds(n); }},
  };
  return kNumbers;
}

Result<Settings> ReadSettings(const JsonCursor& root) {
  Settings settings;
  std::vector<std::string> unknown =
      root.UnknownMembers({"registries", "parallelLayers", "attempts", "retryDelayMilliseconds",
                           "connectSeconds", "idleSeconds", "leastBytesPerSecond", "slowSeconds",
                           "helperSeconds", "certificateDirectories"});
  if (!unknown.empty()) return Error(Code::kInvalid, unknown[0] + ": unknown");
  for (const Number& number : Numbers()) {
    std::optional<int64_t> value = TRY(root.FindInteger(number.name, number.min, number.max));
    if (value) number.set(settings, *value);
  }
  std::optional<JsonCursor> directories = TRY(root.Find("certificateDirectories"));
  if (directories) {
    settings.certificate_directories = TRY(root.FindStrings("certificateDirectories"));
  }
  for (const std::string& directory : settings.certificate_directories) {
    if (directory.starts_with('/')) continue;
    return Error(Code::kInvalid,
                 "certificateDirectories: '" + directory + "' is not an absolute path");
  }
  std::optional<JsonCursor> registries = TRY(root.Find("registries"));
  if (!registries) return settings;
  auto members = TRY(registries->Members());
  for (const auto& [host, object] : members) {
    TRY(CheckHost(host, "registries"));
    settings.registries[host] = TRY(ReadRules(object));
  }
  return settings;
}

}  // namespace

Result<Settings> DecodeSettings(std::string_view text, std::string_view what) {
  JsonDocument document = TRY(JsonDocument::Parse(text, what, kMaxSettings.count()));
  return ReadSettings(document.root()).Context(what);
}

}  // namespace skiff::images::registry
