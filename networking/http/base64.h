// Base64 of RFC 4648 with padding, as Basic authentication has it. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace skiff::networking::http {

std::string Base64Encode(std::string_view data);
// nullopt for what is not base64; padding may be missing.
std::optional<std::string> Base64Decode(std::string_view text);

}  // namespace skiff::networking::http
