#include "isolation/oci/rootless.h"

#include <fcntl.h>
#include <linux/capability.h>

#include "isolation/base/text.h"
#include "isolation/capabilities.h"
#include "isolation/sys/file.h"
#include "isolation/sys/user_namespace.h"

namespace skiff::isolation::oci {
namespace {

std::vector<IdMapping> Identity(std::vector<IdMapping> mappings) {
  for (IdMapping& mapping : mappings) mapping.outside = mapping.inside;
  return mappings;
}

}  // namespace

Result<bool> IsRootless() {
  CapabilityMask own = TRY(OwnEffectiveCapabilities());
  return (own >> CAP_SYS_ADMIN & 1) == 0;
}

bool IsInUserNamespace() {
  // The first one's map is of all ids to themselves.
  Result<std::string> map = sys::ReadFile(AT_FDCWD, "/proc/self/uid_map");
  if (!map.ok()) return false;
  std::vector<std::string> words;
  for (std::string_view word : Split(TrimSpace(map.value()), ' ')) {
    if (!word.empty()) words.emplace_back(word);
  }
  return words != std::vector<std::string>{"0", "0", "4294967295"};
}

Result<> BecomeOwnRoot(const Config& config) {
  auto user = config.namespaces.find(NamespaceType::kUser);
  if (user == config.namespaces.end() || !user->second.empty()) {
    return Error(Code::kDenied,
                 "linux.namespaces: whoever is not root needs one of type user of its own");
  }
  auto become = [&]() -> Result<> {
    sys::UserNamespace own =
        TRY(sys::MakeUserNamespace(MapText(config.uid_mappings), MapText(config.gid_mappings)));
    return sys::BecomeRootOf(own.user.get());
  };
  return become().Context("linux.uidMappings and gidMappings");
}

Result<> BecomeRootAbove(pid_t pid) {
  UniqueFd theirs = TRY(sys::Open(AT_FDCWD, "/proc/" + std::to_string(pid) + "/ns/user", O_RDONLY));
  Result<UniqueFd> above = sys::ParentOf(theirs.get());
  if (!above.ok() && above.error().sys_errno() == EPERM)
    return Error(Code::kDenied,
                 "the container's user namespace is the caller's: he needs to be root");
  UniqueFd between = TRY(std::move(above));
  return sys::BecomeRootOf(between.get()).Context("user namespace");
}

void SettleForOwnRoot(NamespaceSpec* namespaces) {
  namespaces->is_rootless = true;
  namespaces->uid_mappings = Identity(std::move(namespaces->uid_mappings));
  namespaces->gid_mappings = Identity(std::move(namespaces->gid_mappings));
}

}  // namespace skiff::isolation::oci
