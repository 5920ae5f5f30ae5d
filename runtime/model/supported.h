// What this version of skiff cannot do yet: the one table. A feature that arrives takes its row
// out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"
#include "runtime/model/task_definition.h"

namespace skiff::runtime {

#if defined(__aarch64__)
inline constexpr std::string_view kHostCpuArchitecture = "ARM64";
#else
inline constexpr std::string_view kHostCpuArchitecture = "X86_64";
#endif

// Refuses (kUnavailable, naming the member: "containerDefinitions[1].healthCheck: not supported
// yet") what would be lost if the task ran without it; appends to `warnings` what is kept but has
// no effect. Expects a definition that ValidateTaskDefinition accepted. `cpu_architecture` is this
// host's, in ECS's words ("X86_64", "ARM64").
Result<> CheckSupported(const TaskDefinition& definition, std::vector<std::string>* warnings,
                        std::string_view cpu_architecture = kHostCpuArchitecture);

}  // namespace skiff::runtime
