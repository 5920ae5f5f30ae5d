// What a registry asks for when it answers 401: the WWW-Authenticate header (RFC 9110, 11.6.1).
// Pure; what it reads is hostile until proven otherwise.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "isolation/base/result.h"

namespace skiff::images::registry {

struct Challenge {
  std::string scheme;                                           // in lower case: "bearer", "basic"
  std::vector<std::pair<std::string, std::string>> parameters;  // names in lower case

  // "" when it is not there.
  std::string Find(std::string_view name) const;
};

// All challenges of one header.
Result<std::vector<Challenge>> ParseChallenges(std::string_view header);

}  // namespace skiff::images::registry
