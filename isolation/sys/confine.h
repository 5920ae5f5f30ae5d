// Giving rights up for good: what a process does to itself before it reads what it does not trust.
// The calling process has one thread.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"

namespace skiff::sys {

Result<> SetNoNewPrivileges();  // prctl(PR_SET_NO_NEW_PRIVS)
// SIGKILL when the thread that started this process ends. One that had ended before is not noticed.
Result<> DieWithParent();
// Bounding, permitted and effective sets shrink to `mask` (one bit per capability); inheritable and
// ambient become empty.
Result<> KeepCapabilities(uint64_t mask);
// Loads a compiled filter (an array of struct sock_filter); no_new_privs must be set.
Result<> LoadSeccompFilter(std::string_view program);

// A mount namespace of its own, whose mounts nobody else sees.
Result<> EnterOwnMountNamespace();
// The mount becomes "/", the working directory too; everything else is gone.
Result<> PivotInto(int mount_fd);

// Landlock (Linux 5.13): beneath `writable` files may be made, written and removed, beneath
// `readable` read and listed; every other access by path is denied. False when the kernel has no
// Landlock; then nothing has changed. no_new_privs must be set.
Result<bool> RestrictFiles(const std::vector<int>& writable, const std::vector<int>& readable);

// Landlock for what a container runs: no device node is made anywhere under `root`, no mount is
// changed, and, from Linux 6.12 on, no signal and no abstract socket leaves. Everything else stays
// as it is. A ruleset to be entered with landlock_restrict_self(2); kUnavailable before Linux 5.19,
// where it would also deny renames between directories.
Result<UniqueFd> MakeContainerRuleset(int root);

}  // namespace skiff::sys
