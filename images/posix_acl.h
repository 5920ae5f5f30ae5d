// POSIX ACLs in the form of extended attributes (acl(5), linux/posix_acl_xattr.h): what the kernel
// does to a file's mode and ACL when one of them is set. Private to images/.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "isolation/base/result.h"

namespace skiff::images {

inline constexpr std::string_view kAccessAcl = "system.posix_acl_access";
inline constexpr std::string_view kDefaultAcl = "system.posix_acl_default";

// Whether `acl` is one the kernel takes. EINVAL, or EOPNOTSUPP of another version.
Result<> CheckAcl(std::string_view acl);
// The mode that a file gets with the access ACL `acl` (checked). nullopt in `kept`: the ACL says no
// more than the mode, and is not kept.
mode_t ModeOfAcl(std::string_view acl, mode_t mode, std::optional<std::string>* kept);
// The access ACL after a change of mode.
std::string AclOfMode(std::string_view acl, mode_t mode);

}  // namespace skiff::images
