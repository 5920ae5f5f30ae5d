// User namespaces made to be joined later, and mounts that show their files under a namespace's
// ids. Single-threaded callers.
#pragma once

#include <cstdint>
#include <string>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"

namespace skiff::sys {

// The ids 0 to kIdBlockSize - 1 of the namespace are first_id and following ones outside, users and
// groups alike.
inline constexpr uint32_t kIdBlockSize = 65'536;

struct UserNamespace {
  UniqueFd user;
  UniqueFd network;  // owned by it; invalid unless asked for
};

// Nobody is in it: it lives as long as its descriptors, and the processes that joined.
Result<UserNamespace> MakeUserNamespace(uint32_t first_id, bool with_network);

// With these maps, as uid_map and gid_map of user_namespaces(7) have them. Without rights on the
// host a caller maps himself; more is left to newuidmap(1) and newgidmap(1).
Result<UserNamespace> MakeUserNamespace(const std::string& uid_map, const std::string& gid_map);

// The ids that a namespace maps, for one that is there: as uid_map and gid_map have them, seen from
// this process's.
struct IdMapTexts {
  std::string users;
  std::string groups;
};
Result<IdMapTexts> ReadIdMaps(int user_namespace);

// The one that `user_namespace` was made in. EPERM: it is none below this process's own.
Result<UniqueFd> ParentOf(int user_namespace);

// This process becomes root of a namespace that it made, now or before, and enters a mount
// namespace that belongs to it. What it executes keeps all rights there, whether there is a user 0
// or not. There is no way back.
Result<> BecomeRootOf(int user_namespace);

// User and group 0, where the namespace has them.
Result<> BecomeMappedRoot();

// Files and directories seen through the detached mount belong to the namespace's ids: what is
// stored as N appears as N inside, and is stored as N when written there. kUnavailable where the
// file system cannot.
Result<> ShowIdsThrough(int mount_fd, int user_namespace, bool is_recursive,
                        const std::string& what);

// A mount namespace of this process's own that hears of the host's unmounts and tells nothing back.
Result<> EnterFollowingMountNamespace();

}  // namespace skiff::sys
