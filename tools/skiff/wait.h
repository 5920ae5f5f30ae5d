// Waiting for one of several descriptors. One thread.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "isolation/base/result.h"

namespace skiff::tools {

// Waits until one of them is readable or hung up, and answers for each whether it is; all false
// after the timeout. nullopt waits forever.
Result<std::vector<bool>> WaitReadable(const std::vector<int>& fds,
                                       std::optional<std::chrono::milliseconds> timeout);

}  // namespace skiff::tools
