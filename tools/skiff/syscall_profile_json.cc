#include <sys/socket.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "isolation/base/json.h"
#include "isolation/seccomp_profile.h"
#include "tools/skiff/syscall_profile.h"

namespace skiff::tools {
namespace {

using nlohmann::json;

// The launch itself makes the first three once the filter is in force; the kernel the others.
constexpr const char* kAlways[] = {"execve",     "rt_sigaction",    "rt_sigprocmask", "exit",
                                   "exit_group", "restart_syscall", "rt_sigreturn"};

json Argument(unsigned index, const char* comparison, uint64_t value, uint64_t value_two = 0) {
  return {{"index", index}, {"value", value}, {"valueTwo", value_two}, {"op", comparison}};
}

// The arguments are no `json`: of one element in braces g++ makes an array, and clang that element.
json Allow(const std::vector<std::string>& names, const std::vector<json>& arguments = {}) {
  json rule = {{"names", names}, {"action", "SCMP_ACT_ALLOW"}};
  if (!arguments.empty()) rule["args"] = arguments;
  return rule;
}

void AddClone(json* rules) {
  uint64_t namespaces = 0;
  for (const isolation::SeccompValue& flag : isolation::DeniedCloneFlags()) {
    namespaces |= flag.value;
  }
  rules->push_back(Allow({"clone"}, {Argument(0, "SCMP_CMP_MASKED_EQ", namespaces, 0)}));
}

void AddSockets(const isolation::TracedCalls& calls, json* rules) {
  for (uint64_t family : calls.socket_families) {
    if (family == AF_NETLINK) continue;
    rules->push_back(Allow({"socket"}, {Argument(0, "SCMP_CMP_EQ", family)}));
  }
  for (uint64_t protocol : calls.netlink_protocols) {
    rules->push_back(Allow({"socket"}, {Argument(0, "SCMP_CMP_EQ", AF_NETLINK),
                                        Argument(2, "SCMP_CMP_EQ", protocol)}));
  }
}

void AddPersonalities(json* rules) {
  for (const isolation::SeccompValue& each : isolation::AllowedPersonalities()) {
    rules->push_back(Allow({"personality"}, {Argument(0, "SCMP_CMP_EQ", each.value)}));
  }
}

}  // namespace

std::string EncodeSyscallProfile(const isolation::TracedCalls& calls) {
  std::set<std::string> names(calls.names);
  names.insert(std::begin(kAlways), std::end(kAlways));
  bool has_clone = names.erase("clone") > 0;
  bool has_socket = names.erase("socket") > 0;
  bool has_pair = names.erase("socketpair") > 0;
  bool has_personality = names.erase("personality") > 0;
  json rules = json::array({Allow({names.begin(), names.end()})});
  if (has_clone) AddClone(&rules);
  if (has_socket) AddSockets(calls, &rules);
  if (has_pair) rules.push_back(Allow({"socketpair"}, {Argument(0, "SCMP_CMP_EQ", AF_UNIX)}));
  if (has_personality) AddPersonalities(&rules);
  json profile = {{"defaultAction", "SCMP_ACT_ERRNO"},
                  {"defaultErrnoRet", ENOSYS},
                  {"architectures", {"SCMP_ARCH_NATIVE"}},
                  {"syscalls", std::move(rules)}};
  return EncodeJson(profile, 1) + "\n";
}

}  // namespace skiff::tools
