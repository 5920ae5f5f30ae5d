// AWS STS, as far as clients need it to find out who they are: GetCallerIdentity.
#pragma once

#include "runtime/api/operation.h"
#include "runtime/control/settings.h"

namespace skiff::runtime::api {

OperationTable StsOperations(const ControlSettings& settings);

}  // namespace skiff::runtime::api
