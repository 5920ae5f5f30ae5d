// The programs that are of one build with this one, and stand beside it. Any thread.
#pragma once

#include <string>
#include <vector>

#include "isolation/base/result.h"

namespace skiff::runtime {

// `variable` names it instead in builds with failpoints: a test's program stands elsewhere.
Result<std::string> FindOwnProgram(const std::string& name, const char* variable);

// This process's, as NAME=value.
std::vector<std::string> OwnEnvironment();

}  // namespace skiff::runtime
