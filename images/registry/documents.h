// The small JSON documents that registries answer with. Pure.
#pragma once

#include <string>
#include <string_view>

#include "isolation/base/result.h"

namespace skiff::images::registry {

// The token of a token server's answer.
Result<std::string> DecodeToken(std::string_view text);

// "name unknown: repository name not known to registry" out of an answer's errors; "" when it holds
// none. Printable, one line, not long.
std::string DecodeErrors(std::string_view text);

// What a manifest says of itself: its mediaType, or what its members make of it; "" when nothing
// does.
std::string MediaTypeOf(std::string_view manifest);

}  // namespace skiff::images::registry
