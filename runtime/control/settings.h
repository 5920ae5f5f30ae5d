// Who this host says it is, and the names derived from that. Values.
#pragma once

#include <string>

namespace skiff::runtime {

struct ControlSettings {
  std::string region = "us-east-1";
  std::string account_id = "123456789012";
};

}  // namespace skiff::runtime
