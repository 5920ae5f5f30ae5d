// Who has which block of the host's user and group ids. A block is a symbolic link
// <data root>/ids/<first id> to the name of the task that has it, and the task's plan says the
// same: a link whose task has no directory any more is as good as none, so that no crash can leak a
// block. Any process; claims are serialized by a lock on the directory.
#pragma once

#include <cstdint>

#include "isolation/base/result.h"
#include "runtime/model/ids.h"
#include "runtime/plan/paths.h"

namespace skiff::runtime {

// The blocks lie between these: above what useradd gives out in /etc/subuid (100000 to 600100000),
// in the range that systemd leaves to containers, below 2^31.
inline constexpr uint32_t kFirstBlockId = 0x40000000;
inline constexpr uint32_t kIdBlocks = 12'287;

// The task's directory must exist: without it the block counts as free. kExhausted when live tasks
// have them all.
Result<uint32_t> ClaimIdBlock(const Roots& roots, const TaskId& task);

// When nothing of the task runs and no file has its ids any more. Only the task's own; 0 and a
// block that another has taken over are fine.
Result<> ReleaseIdBlock(const Roots& roots, const TaskId& task, uint32_t first_id);

}  // namespace skiff::runtime
