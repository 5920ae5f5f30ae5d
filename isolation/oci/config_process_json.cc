#include <sys/resource.h>

#include <array>
#include <nlohmann/json.hpp>

#include "isolation/limits.h"
#include "isolation/oci/config_parts.h"

namespace skiff::isolation::oci {
namespace {

constexpr int64_t kMaxId = kMaxUint32 - 1;  // the last number means "unchanged" to the kernel

constexpr std::array<std::pair<std::string_view, int>, 16> kRlimits = {{
    {"RLIMIT_AS", RLIMIT_AS},
    {"RLIMIT_CORE", RLIMIT_CORE},
    {"RLIMIT_CPU", RLIMIT_CPU},
    {"RLIMIT_DATA", RLIMIT_DATA},
    {"RLIMIT_FSIZE", RLIMIT_FSIZE},
    {"RLIMIT_LOCKS", RLIMIT_LOCKS},
    {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
    {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
    {"RLIMIT_NICE", RLIMIT_NICE},
    {"RLIMIT_NOFILE", RLIMIT_NOFILE},
    {"RLIMIT_NPROC", RLIMIT_NPROC},
    {"RLIMIT_RSS", RLIMIT_RSS},
    {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
    {"RLIMIT_RTTIME", RLIMIT_RTTIME},
    {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    {"RLIMIT_STACK", RLIMIT_STACK},
}};

Result<uint32_t> FindId(const JsonCursor& user, std::string_view name) {
  std::optional<int64_t> id = TRY(user.FindInteger(name, 0, kMaxId));
  return static_cast<uint32_t>(id.value_or(0));
}

Result<> ParseUser(const JsonCursor& process, Process* parsed) {
  std::optional<JsonCursor> user = TRY(process.Find("user"));
  if (!user) return {};
  parsed->uid = TRY(FindId(*user, "uid"));
  parsed->gid = TRY(FindId(*user, "gid"));
  std::optional<int64_t> umask = TRY(user->FindInteger("umask", 0, 0777));
  if (umask) parsed->umask = static_cast<uint32_t>(*umask);
  std::vector<JsonCursor> groups = TRY(FindList(*user, "additionalGids"));
  if (groups.size() > kMaxGroups)
    return user->Invalid("more than " + std::to_string(kMaxGroups) + " additionalGids");
  for (const JsonCursor& group : groups) {
    int64_t gid = TRY(group.Integer(0, kMaxId));
    parsed->additional_gids.push_back(static_cast<uint32_t>(gid));
  }
  return {};
}

Result<CapabilityMask> ParseCapabilitySet(const JsonCursor& sets, std::string_view name,
                                          std::vector<std::string>* warnings) {
  CapabilityMask mask = 0;
  std::vector<JsonCursor> elements = TRY(FindList(sets, name));
  for (const JsonCursor& element : elements) {
    std::string capability = TRY(CleanString(element));
    std::optional<int> number = CapabilityByName(capability);
    if (number) {
      mask |= CapabilityMask{1} << *number;
    } else {
      // The specification wants a warning here, not an error.
      warnings->push_back(element.path() + ": unknown capability '" + capability + "'");
    }
  }
  return mask;
}

Result<> ParseCapabilities(const JsonCursor& process, Config* config) {
  std::optional<JsonCursor> sets = TRY(process.Find("capabilities"));
  if (!sets) return {};
  CapabilitySets& parsed = config->process.capabilities;
  parsed.bounding = TRY(ParseCapabilitySet(*sets, "bounding", &config->warnings));
  parsed.permitted = TRY(ParseCapabilitySet(*sets, "permitted", &config->warnings));
  parsed.effective = TRY(ParseCapabilitySet(*sets, "effective", &config->warnings));
  parsed.inheritable = TRY(ParseCapabilitySet(*sets, "inheritable", &config->warnings));
  parsed.ambient = TRY(ParseCapabilitySet(*sets, "ambient", &config->warnings));
  return {};
}

// Limits are unsigned 64-bit numbers, RLIM_INFINITY being the largest; some write it as -1.
Result<uint64_t> LimitValue(const JsonCursor& limit, std::string_view name) {
  JsonCursor value = TRY(limit.Get(name));
  if (value.value().is_number_unsigned()) return value.value().get<uint64_t>();
  TRY(value.Integer(-1, -1));
  return uint64_t{RLIM_INFINITY};
}

Result<RlimitSpec> ParseRlimit(const JsonCursor& cursor) {
  JsonCursor type = TRY(cursor.Get("type"));
  std::string name = TRY(type.String());
  RlimitSpec limit;
  limit.resource = -1;
  for (const auto& [known, resource] : kRlimits) {
    if (known == name) limit.resource = resource;
  }
  if (limit.resource < 0) return type.Invalid("unknown resource limit '" + name + "'");
  limit.soft = TRY(LimitValue(cursor, "soft"));
  limit.hard = TRY(LimitValue(cursor, "hard"));
  if (limit.soft > limit.hard) return cursor.Invalid("the soft limit is above the hard limit");
  return limit;
}

Result<> ParseRlimits(const JsonCursor& process, Process* parsed) {
  std::vector<JsonCursor> limits = TRY(FindList(process, "rlimits"));
  for (const JsonCursor& cursor : limits) {
    RlimitSpec limit = TRY(ParseRlimit(cursor));
    for (const RlimitSpec& other : parsed->rlimits) {
      if (other.resource == limit.resource) return cursor.Invalid("the same type twice");
    }
    parsed->rlimits.push_back(limit);
  }
  return {};
}

// A number is taken as it is written, as crun does: its suite has one.
Result<std::vector<std::string>> ParseArguments(const JsonCursor& process, Config* config) {
  std::vector<JsonCursor> elements = TRY(FindList(process, "args"));
  std::vector<std::string> arguments;
  for (const JsonCursor& element : elements) {
    if (element.value().is_number_integer()) {
      arguments.push_back(element.value().dump());
      config->warnings.push_back(element.path() + ": is a number, not a string");
      continue;
    }
    std::string text = TRY(CleanString(element));
    arguments.push_back(std::move(text));
  }
  return arguments;
}

Result<> ParseCommand(const JsonCursor& process, Config* config) {
  Process* parsed = &config->process;
  parsed->arguments = TRY(ParseArguments(process, config));
  if (parsed->arguments.empty()) return process.Invalid("args: missing or empty");
  if (parsed->arguments[0].empty()) return process.Invalid("args[0]: must not be empty");
  parsed->environment = TRY(FindStringList(process, "env"));
  for (size_t i = 0; i < parsed->environment.size(); ++i) {
    size_t equals = parsed->environment[i].find('=');
    if (equals == std::string::npos || equals == 0)
      return process.Invalid("env[" + std::to_string(i) + "]: not of the form NAME=value");
  }
  JsonCursor cwd = TRY(process.Get("cwd"));
  parsed->working_directory = TRY(AbsolutePath(cwd));
  return {};
}

}  // namespace

Result<> ParseProcess(const JsonCursor& process, Config* config) {
  std::optional<bool> terminal = TRY(process.FindBoolean("terminal"));
  config->process.has_terminal = terminal.value_or(false);
  std::optional<JsonCursor> size = TRY(process.Find("consoleSize"));
  if (size) {
    std::optional<int64_t> height = TRY(size->FindInteger("height", 0, UINT16_MAX));
    std::optional<int64_t> width = TRY(size->FindInteger("width", 0, UINT16_MAX));
    config->process.console_rows = static_cast<uint16_t>(height.value_or(0));
    config->process.console_columns = static_cast<uint16_t>(width.value_or(0));
  }
  for (auto [name, member] : {std::pair{"apparmorProfile", &config->process.apparmor_profile},
                              {"selinuxLabel", &config->process.selinux_label}}) {
    std::optional<JsonCursor> label = TRY(process.Find(name));
    if (label) *member = TRY(CleanString(*label));
  }
  TRY(ParseScheduling(process, &config->process));
  TRY(ParseCommand(process, config));
  TRY(ParseUser(process, &config->process));
  TRY(ParseCapabilities(process, config));
  TRY(ParseRlimits(process, &config->process));
  std::optional<int64_t> adjustment = TRY(process.FindInteger("oomScoreAdj", -1000, 1000));
  if (adjustment) config->process.oom_score_adj = static_cast<int>(*adjustment);
  std::optional<bool> no_new_privileges = TRY(process.FindBoolean("noNewPrivileges"));
  config->process.no_new_privileges = no_new_privileges.value_or(false);
  return {};
}

}  // namespace skiff::isolation::oci
