// Project quotas (ext4 and xfs, mounted with prjquota): what a directory
// tree may hold. By any descriptor of the file system, so the device need not be known; Linux 5.14.
// Any thread.
#pragma once

#include <cstdint>

#include "isolation/base/result.h"

namespace skiff::sys {

// False as well where the kernel or the file system knows no project quotas.
bool EnforcesProjects(int fd);

// The project of a directory; 0 is none.
Result<uint32_t> ProjectOf(int directory);
// What is made in the directory from here on is of the project too.
Result<> SetProject(int directory, uint32_t project);

// 0: no limit. Writing beyond it is EDQUOT.
Result<> SetProjectLimit(int fd, uint32_t project, uint64_t bytes);
Result<uint64_t> ProjectLimit(int fd, uint32_t project);
Result<uint64_t> ProjectUsage(int fd, uint32_t project);  // bytes

}  // namespace skiff::sys
