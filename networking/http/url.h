// Addresses of HTTP requests: http and https only, with a host, without a user. Parse is the only
// door for text; what it lets through has no space or control character. Values; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "isolation/base/result.h"

namespace skiff::networking::http {

struct Url {
  bool is_tls = false;
  std::string host;  // a name in lower case, or an address without brackets
  uint16_t port = 0;
  std::string target;  // "/path?query", as sent

  static Result<Url> Parse(std::string_view text);
  // What a Location header of this page's answer means.
  Result<Url> Resolve(std::string_view location) const;

  // "host", "host:5000", "[::1]:5000": the port only when it is not the scheme's own.
  std::string Authority() const;
  std::string Origin() const;  // "https://host:port", the port always
  std::string ToString() const;
  // Without the query, which may hold a signature: for messages.
  std::string Shown() const;
};

// "host[:port]" as an address' own part: brackets around IPv6.
Result<Url> ParseAuthority(std::string_view text, bool is_tls);

// For a query: everything but letters, digits and "-_.~" as %XX.
std::string PercentEncode(std::string_view text);

}  // namespace skiff::networking::http
