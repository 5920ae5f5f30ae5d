// The rules of validate.h by subject; each returns the first one broken. Inside the model only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"
#include "runtime/model/task_definition.h"

namespace skiff::runtime {

// "<path>: <text>", kInvalid.
Error Broken(const std::string& path, std::string_view text);

// "containerDefinitions[1].memory"
std::string ElementPath(std::string_view list, size_t index);

// Not empty, at most `max_length`, and nothing but letters, digits, '-', '_' and `also`.
bool IsName(std::string_view text, size_t max_length, std::string_view also = "");

// One container, seen alone.
Result<> ValidateContainer(const ContainerDefinition& container, const std::string& path,
                           bool is_fargate);
Result<> ValidateLinuxParameters(const LinuxParameters& parameters, const std::string& path,
                                 bool is_fargate);
Result<> ValidateUlimits(const std::vector<Ulimit>& ulimits, const std::string& path);
Result<> ValidateLogConfiguration(const LogConfiguration& log, const std::string& path,
                                  bool is_fargate);

// Containers seen together.
Result<> ValidateDependencies(const std::vector<ContainerDefinition>& containers);
Result<> ValidatePorts(const std::vector<ContainerDefinition>& containers, NetworkMode mode);
Result<> ValidateSizes(const TaskDefinition& definition);

}  // namespace skiff::runtime
