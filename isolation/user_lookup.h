// Who a container runs as: the USER of an image or task definition, resolved in the image's own
// /etc/passwd and /etc/group, which are untrusted input. Numbers are strict decimal up to 2^31-1;
// nothing ever turns into uid 0 by overflow (CVE-2024-40635).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"

namespace skiff::isolation {

struct ContainerUser {
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::vector<uint32_t> groups;  // supplementary
  std::string home = "/";
};

// `user` is "", "name", "uid", "name:group", "uid:gid", "name:gid" or "uid:group"; "" is root. A
// name must exist; a number need not, and then has group 0 unless one is given, as Docker does.
Result<ContainerUser> ResolveUser(std::string_view user, std::string_view passwd,
                                  std::string_view group);

// The same with the files read beneath `rootfs` (a directory descriptor), symlinks resolved inside
// it.
Result<ContainerUser> ResolveUserIn(int rootfs, std::string_view user);

}  // namespace skiff::isolation
