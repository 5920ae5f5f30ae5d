#include <linux/seccomp.h>
#include <seccomp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "isolation/oci/config_parts.h"

namespace skiff::isolation::oci {
namespace {

constexpr int64_t kMaxErrno = 4095;

constexpr std::array<std::pair<std::string_view, uint32_t>, 7> kActions = {{
    {"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
    {"SCMP_ACT_LOG", SCMP_ACT_LOG},
    {"SCMP_ACT_KILL", SCMP_ACT_KILL},
    {"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
    {"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
    {"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
    {"SCMP_ACT_NOTIFY", SCMP_ACT_NOTIFY},
}};

constexpr std::array<std::pair<std::string_view, uint32_t>, 18> kArchitectures = {{
    {"SCMP_ARCH_NATIVE", SCMP_ARCH_NATIVE},
    {"SCMP_ARCH_X86", SCMP_ARCH_X86},
    {"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64},
    {"SCMP_ARCH_X32", SCMP_ARCH_X32},
    {"SCMP_ARCH_ARM", SCMP_ARCH_ARM},
    {"SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64},
    {"SCMP_ARCH_MIPS", SCMP_ARCH_MIPS},
    {"SCMP_ARCH_MIPS64", SCMP_ARCH_MIPS64},
    {"SCMP_ARCH_MIPS64N32", SCMP_ARCH_MIPS64N32},
    {"SCMP_ARCH_MIPSEL", SCMP_ARCH_MIPSEL},
    {"SCMP_ARCH_MIPSEL64", SCMP_ARCH_MIPSEL64},
    {"SCMP_ARCH_MIPSEL64N32", SCMP_ARCH_MIPSEL64N32},
    {"SCMP_ARCH_PPC", SCMP_ARCH_PPC},
    {"SCMP_ARCH_PPC64", SCMP_ARCH_PPC64},
    {"SCMP_ARCH_PPC64LE", SCMP_ARCH_PPC64LE},
    {"SCMP_ARCH_S390", SCMP_ARCH_S390},
    {"SCMP_ARCH_S390X", SCMP_ARCH_S390X},
    {"SCMP_ARCH_RISCV64", SCMP_ARCH_RISCV64},
}};

constexpr std::array<std::pair<std::string_view, int>, 7> kComparisons = {{
    {"SCMP_CMP_NE", SCMP_CMP_NE},
    {"SCMP_CMP_LT", SCMP_CMP_LT},
    {"SCMP_CMP_LE", SCMP_CMP_LE},
    {"SCMP_CMP_EQ", SCMP_CMP_EQ},
    {"SCMP_CMP_GE", SCMP_CMP_GE},
    {"SCMP_CMP_GT", SCMP_CMP_GT},
    {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
}};

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)  // Linux 5.19
#endif
constexpr std::array<std::pair<std::string_view, uint32_t>, 4> kFlags = {{
    {"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
    {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
    {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
    {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
}};

template <typename Table>
auto Lookup(const Table& table, const JsonCursor& cursor, std::string_view what)
    -> Result<typename Table::value_type::second_type> {
  std::string name = TRY(cursor.String());
  for (const auto& [known, value] : table) {
    if (known == name) return value;
  }
  return cursor.Invalid("unknown " + std::string(what) + " '" + name + "'");
}

// `action` and the number beside it: an errno, or what a tracer is told.
Result<SeccompAction> ParseAction(const JsonCursor& object, std::string_view action_name,
                                  std::string_view number_name) {
  JsonCursor cursor = TRY(object.Get(action_name));
  std::string name = TRY(cursor.String());
  std::optional<int64_t> number = TRY(object.FindInteger(number_name, 0, kMaxErrno));
  uint32_t value = static_cast<uint32_t>(number.value_or(EPERM));
  if (name == "SCMP_ACT_ERRNO") return SCMP_ACT_ERRNO(value);
  if (name == "SCMP_ACT_TRACE") return SCMP_ACT_TRACE(value);
  if (number.value_or(0) != 0)
    return object.Invalid(std::string(number_name) + " goes with SCMP_ACT_ERRNO or SCMP_ACT_TRACE");
  return Lookup(kActions, cursor, "action");
}

Result<uint64_t> ParseValue(const JsonCursor& argument, std::string_view name, bool is_required) {
  std::optional<JsonCursor> cursor = TRY(argument.Find(name));
  if (!cursor && is_required) return argument.Invalid(std::string(name) + ": missing");
  if (!cursor) return uint64_t{0};
  if (cursor->value().is_number_unsigned()) return cursor->value().get<uint64_t>();
  return cursor->Invalid("expected unsigned integer");
}

Result<SeccompArgument> ParseArgument(const JsonCursor& cursor) {
  SeccompArgument argument;
  JsonCursor index = TRY(cursor.Get("index"));
  argument.index = static_cast<unsigned>(TRY(index.Integer(0, 5)));
  JsonCursor comparison = TRY(cursor.Get("op"));
  argument.comparison = TRY(Lookup(kComparisons, comparison, "comparison"));
  argument.value = TRY(ParseValue(cursor, "value", true));
  argument.value_two = TRY(ParseValue(cursor, "valueTwo", false));
  return argument;
}

Result<SeccompRule> ParseRule(const JsonCursor& cursor) {
  SeccompRule rule;
  rule.names = TRY(FindStringList(cursor, "names"));
  if (rule.names.empty()) return cursor.Invalid("names: missing or empty");
  rule.action = TRY(ParseAction(cursor, "action", "errnoRet"));
  // By it who starts is told that the listener comes.
  bool has_write = std::find(rule.names.begin(), rule.names.end(), "write") != rule.names.end();
  if (has_write && rule.action == SCMP_ACT_NOTIFY)
    return cursor.Invalid("SCMP_ACT_NOTIFY cannot be used for the write syscall");
  std::vector<JsonCursor> arguments = TRY(FindList(cursor, "args"));
  for (const JsonCursor& each : arguments) {
    SeccompArgument argument = TRY(ParseArgument(each));
    rule.arguments.push_back(argument);
  }
  return rule;
}

}  // namespace

Result<SeccompProfile> ParseSeccomp(const JsonCursor& seccomp) {
  SeccompProfile profile;
  std::optional<JsonCursor> listener = TRY(seccomp.Find("listenerPath"));
  if (listener) profile.listener_path = TRY(CleanString(*listener));
  if (!profile.listener_path.empty()) TRY(AbsolutePath(*listener));
  std::optional<std::string> metadata = TRY(seccomp.FindString("listenerMetadata"));
  profile.listener_metadata = metadata.value_or("");
  if (!profile.listener_metadata.empty() && profile.listener_path.empty())
    return seccomp.Invalid("listenerMetadata needs a listenerPath");
  profile.default_action = TRY(ParseAction(seccomp, "defaultAction", "defaultErrnoRet"));
  if (profile.default_action == SCMP_ACT_NOTIFY)
    return seccomp.Invalid("defaultAction: SCMP_ACT_NOTIFY cannot be the default");
  std::vector<JsonCursor> architectures = TRY(FindList(seccomp, "architectures"));
  for (const JsonCursor& cursor : architectures) {
    uint32_t architecture = TRY(Lookup(kArchitectures, cursor, "architecture"));
    profile.architectures.push_back(architecture);
  }
  std::vector<JsonCursor> flags = TRY(FindList(seccomp, "flags"));
  for (const JsonCursor& cursor : flags) {
    uint32_t flag = TRY(Lookup(kFlags, cursor, "flag"));
    // Threads to be synchronised with do not exist before the exec.
    if (flag != SECCOMP_FILTER_FLAG_TSYNC) profile.flags |= flag;
  }
  std::vector<JsonCursor> rules = TRY(FindList(seccomp, "syscalls"));
  for (const JsonCursor& cursor : rules) {
    SeccompRule rule = TRY(ParseRule(cursor));
    if (rule.action == SCMP_ACT_NOTIFY && profile.listener_path.empty())
      return cursor.Invalid("SCMP_ACT_NOTIFY needs a listenerPath");
    profile.rules.push_back(std::move(rule));
  }
  return profile;
}

Result<SeccompProfile> ParseSeccompProfile(std::string_view text) {
  JsonDocument document = TRY(JsonDocument::Parse(text, "seccomp profile"));
  TRY(RefuseMembers(document.root(), {"listenerPath", "listenerMetadata"}));
  return ParseSeccomp(document.root());
}

}  // namespace skiff::isolation::oci
