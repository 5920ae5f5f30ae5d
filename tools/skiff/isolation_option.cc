#include "tools/skiff/isolation_option.h"

#include <fcntl.h>

#include <set>

#include "isolation/base/text.h"
#include "isolation/oci/seccomp.h"
#include "isolation/sys/file.h"
#include "tools/skiff/limits.h"

namespace skiff::tools {
namespace {

using isolation::CapabilityMask;
using runtime::IsolationOptions;
using runtime::SeccompChoice;

Error Unexpected(const std::string& expected, const std::string& got) {
  return Error(Code::kInvalid, "expected " + expected + ", got '" + got + "'");
}

Result<bool> ParseSwitch(const std::string& text) {
  if (text != "on" && text != "off") return Unexpected("on or off", text);
  return text == "on";
}

Result<> SetSeccomp(const std::string& value, IsolationOptions* options) {
  options->seccomp = value == "none" ? SeccompChoice::kNone : SeccompChoice::kDefault;
  if (value == "none" || value == "default") return {};
  if (value.empty()) return Unexpected("default, none or a file", value);
  std::string text = TRY(sys::ReadFile(AT_FDCWD, value, kMaxSeccompProfile));
  isolation::oci::SeccompProfile profile =
      TRY(isolation::oci::ParseSeccompProfile(text).Context(value));
  options->seccomp = SeccompChoice::kProfile;
  options->seccomp_program = TRY(isolation::oci::CompileSeccomp(profile).Context(value));
  options->seccomp_flags = profile.flags;
  options->seccomp_source = value;
  return {};
}

// "default", "none", "all" or a name.
Result<CapabilityMask> ParseCapability(const std::string& word) {
  if (word == "none") return CapabilityMask{0};
  if (word == "default") return isolation::DefaultCapabilities();
  if (word == "all") return isolation::AllCapabilities();
  std::optional<int> number = isolation::CapabilityByName(word);
  if (!number) return Unexpected("default, none, all or names with + between them", word);
  return CapabilityMask{1} << *number;
}

Result<> SetCapabilities(const std::string& value, IsolationOptions* options) {
  CapabilityMask mask = 0;
  for (std::string_view word : Split(value, '+')) {
    CapabilityMask part = TRY(ParseCapability(std::string(word)));
    mask |= part;
  }
  options->capabilities = mask;
  return {};
}

Result<> SetNoNewPrivileges(const std::string& value, IsolationOptions* options) {
  options->no_new_privileges = TRY(ParseSwitch(value));
  return {};
}

Result<> SetMaskedPaths(const std::string& value, IsolationOptions* options) {
  options->mask_paths = TRY(ParseSwitch(value));
  return {};
}

Result<> SetUserNamespace(const std::string& value, IsolationOptions* options) {
  options->user_namespace = TRY(ParseSwitch(value));
  return {};
}

Result<> SetLandlock(const std::string& value, IsolationOptions* options) {
  options->landlock = TRY(ParseSwitch(value));
  return {};
}

Result<> SetPids(const std::string& value, IsolationOptions* options) {
  if (value != "private" && value != "shared") return Unexpected("private or shared", value);
  options->share_pids = value == "shared";
  return {};
}

struct Layer {
  std::string_view key;
  Result<> (*set)(const std::string& value, IsolationOptions* options);
};

constexpr Layer kLayers[] = {
    {"seccomp", SetSeccomp},      {"caps", SetCapabilities},
    {"nnp", SetNoNewPrivileges},  {"masked-paths", SetMaskedPaths},
    {"userns", SetUserNamespace}, {"landlock", SetLandlock},
    {"pidns", SetPids},
};

std::string KnownKeys() {
  std::string keys;
  for (const Layer& layer : kLayers) keys.append(keys.empty() ? "" : ", ").append(layer.key);
  return keys;
}

Result<> SetLayer(const std::string& key, const std::string& value, IsolationOptions* options) {
  for (const Layer& layer : kLayers) {
    if (layer.key == key) return layer.set(value, options).Context(key);
  }
  return Unexpected("one of " + KnownKeys(), key);
}

}  // namespace

Result<> ParseIsolation(const std::string& text, IsolationOptions* options) {
  std::set<std::string> seen;
  for (std::string_view part : Split(text, ',')) {
    size_t equals = part.find('=');
    if (equals == std::string_view::npos) return Unexpected("key=value", std::string(part));
    std::string key(part.substr(0, equals));
    if (!seen.insert(key).second) return Error(Code::kInvalid, key + ": given twice");
    TRY(SetLayer(key, std::string(part.substr(equals + 1)), options));
  }
  return {};
}

}  // namespace skiff::tools
