// What skiff exits with: one table from error codes to statuses, shown by `skiff --help`.
#pragma once

#include <string>

#include "isolation/base/result.h"

namespace skiff::tools {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitInvalid = 64;
inline constexpr int kExitNotFound = 66;
inline constexpr int kExitUnavailable = 69;
inline constexpr int kExitConflict = 73;
inline constexpr int kExitTimeout = 74;
inline constexpr int kExitExhausted = 75;
inline constexpr int kExitDenied = 77;
// `skiff run`: the task ended before one of its containers had an exit code of its own.
inline constexpr int kExitNotStarted = 125;

int ExitStatusOf(Code code);

// The table as --help prints it.
std::string ExitStatusHelp();

}  // namespace skiff::tools
