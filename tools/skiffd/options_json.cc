#include <array>
#include <nlohmann/json.hpp>

#include "isolation/base/json.h"
#include "tools/skiffd/limits.h"
#include "tools/skiffd/options.h"

namespace skiff::tools {
namespace {

constexpr std::array<std::string_view, 9> kTexts = {"socket",   "events-socket", "data-root",
                                                    "run-root", "state-dir",     "keys",
                                                    "region",   "account-id",    "listen"};
constexpr std::array<std::string_view, 3> kSwitches = {"ephemeral", "anonymous", "allow-reset"};

template <typename Names>
bool Has(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Result<> AddFlags(const std::string& name, const JsonCursor& value,
                  std::vector<std::string>* flags) {
  if (Has(kSwitches, name)) {
    bool is_on = TRY(value.Boolean());
    if (is_on) flags->push_back("--" + name);
    return {};
  }
  if (!Has(kTexts, name)) return value.Invalid("no such setting");
  std::vector<std::string> texts;
  if (name == "listen") {
    texts = TRY(value.Strings());
  } else {
    std::string text = TRY(value.String());
    texts.push_back(std::move(text));
  }
  for (const std::string& text : texts) flags->push_back("--" + name + "=" + text);
  return {};
}

}  // namespace

Result<std::vector<std::string>> FlagsOfConfig(std::string_view text, const std::string& path) {
  JsonDocument document = TRY(JsonDocument::Parse(text, path, kMaxConfigFile.count()));
  std::vector<std::pair<std::string, JsonCursor>> members =
      TRY(document.root().Members().Context(path));
  std::vector<std::string> flags;
  for (const auto& [name, value] : members) TRY(AddFlags(name, value, &flags).Context(path));
  return flags;
}

std::string EncodeOptions(const DaemonOptions& options) {
  nlohmann::ordered_json out;
  out["listen"] = nlohmann::ordered_json::array();
  for (const ListenAddress& address : options.listen) out["listen"].push_back(address.text());
  out["socket"] = options.socket;
  out["events-socket"] = options.events_socket;
  out["data-root"] = options.roots.data;
  out["run-root"] = options.roots.run;
  out["state-dir"] = options.state_directory;
  out["ephemeral"] = options.is_ephemeral;
  out["anonymous"] = options.is_anonymous;
  if (!options.keys_file.empty()) out["keys"] = options.keys_file;
  out["allow-reset"] = options.allow_reset;
  out["region"] = options.settings.region;
  out["account-id"] = options.settings.account_id;
  return out.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace skiff::tools
