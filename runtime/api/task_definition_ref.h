// The task definition that a request means: "family" (its newest ACTIVE revision),
// "family:revision", or an ARN of this account and region. One thread.
#pragma once

#include <string>
#include <string_view>

#include "isolation/base/result.h"
#include "runtime/control/records.h"
#include "runtime/control/settings.h"
#include "runtime/store/store.h"

namespace skiff::runtime::api {

// ClientException, in ECS's words, when there is none or it is INACTIVE.
Result<TaskDefinitionRecord> FindActiveDefinition(Store& store, const ControlSettings& settings,
                                                  const std::string& reference);

// nullopt: there is none. A record that cannot be read is quarantined.
Result<std::optional<TaskDefinitionRecord>> FindDefinition(Store& store, std::string_view family,
                                                           int64_t revision);

}  // namespace skiff::runtime::api
