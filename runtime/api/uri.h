// Percent encoding as signatures and forms need it (RFC 3986; AWS's "UriEncode"). Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skiff::runtime::api {

// Everything but A-Z a-z 0-9 - . _ ~ (and '/' if kept) as %XX.
std::string UriEncode(std::string_view text, bool keep_slash);
// %XX, and '+' as a blank. What is no code stays as it is.
std::string UriDecode(std::string_view text);

// "a=1&b=2", decoded, in the order sent.
std::vector<std::pair<std::string, std::string>> ParseForm(std::string_view text);

}  // namespace skiff::runtime::api
