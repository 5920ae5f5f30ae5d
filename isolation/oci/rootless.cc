#include "isolation/oci/rootless.h"

#include <fcntl.h>
#include <linux/capability.h>

#include <algorithm>

#include "isolation/base/text.h"
#include "isolation/capabilities.h"
#include "isolation/sys/file.h"
#include "isolation/sys/namespace_types.h"
#include "isolation/sys/process.h"
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

Result<> BecomeOwnRoot(NamespaceSpec* namespaces) {
  if (!namespaces->new_user) {
    return Error(Code::kDenied,
                 "linux.namespaces: whoever is not root needs one of type user of its own");
  }
  TRY(sys::EnterOwnUserNamespace(MapText(namespaces->uid_mappings),
                                 MapText(namespaces->gid_mappings))
          .Context("linux.uidMappings and gidMappings"));
  namespaces->is_rootless = true;
  namespaces->uid_mappings = Identity(std::move(namespaces->uid_mappings));
  namespaces->gid_mappings = Identity(std::move(namespaces->gid_mappings));
  return {};
}

Result<> JoinOwnContainer(NamespaceSpec* namespaces) {
  auto user = std::find_if(namespaces->joins.begin(), namespaces->joins.end(),
                           [](const NamespaceJoin& j) { return j.type == sys::kUserNamespace; });
  if (user == namespaces->joins.end())
    return Error(Code::kDenied,
                 "the container's user namespace is the caller's: he needs to be root");
  TRY(sys::EnterNamespace(user->fd, user->type).Context("user namespace"));
  TRY(sys::BecomeMappedRoot());
  namespaces->joins.erase(user);
  namespaces->is_rootless = true;
  return {};
}

}  // namespace skiff::isolation::oci
