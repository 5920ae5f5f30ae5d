// The headers of registries' answers that say when and what. Pure; what they read is hostile until
// proven otherwise. (WWW-Authenticate: challenge.h; Location: networking/http/url.h.)
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace skiff::images::registry {

// Retry-After: seconds or a date; nullopt when it is neither. `now`: seconds of the wall clock.
// Never more than eleven days.
std::optional<std::chrono::seconds> ParseRetryAfter(std::string_view text, int64_t now);

// Content-Range of an answer 206: "bytes 5-9/10".
struct ContentRange {
  uint64_t first = 0;
  uint64_t last = 0;
  std::optional<uint64_t> size;  // of the whole; "*" is none

  bool operator==(const ContentRange&) const = default;
};
std::optional<ContentRange> ParseContentRange(std::string_view text);

}  // namespace skiff::images::registry
