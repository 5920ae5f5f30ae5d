#include "images/registry/headers.h"

#include <time.h>

#include <algorithm>
#include <string>

#include "images/registry/limits.h"
#include "isolation/base/text.h"

namespace skiff::images::registry {

std::optional<std::chrono::seconds> ParseRetryAfter(std::string_view text, int64_t now) {
  text = TrimSpace(text);
  if (std::optional<uint64_t> seconds = ParseUint(text)) {
    uint64_t most = static_cast<uint64_t>(kMostRetryAfter.count());
    return std::chrono::seconds(static_cast<int64_t>(std::min(*seconds, most)));
  }
  tm date{};
  std::string terminated(text);
  const char* end = strptime(terminated.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
  if (end == nullptr || *end != '\0') return std::nullopt;
  int64_t left = timegm(&date) - now;
  return std::chrono::seconds(std::clamp<int64_t>(left, 0, kMostRetryAfter.count()));
}

std::optional<ContentRange> ParseContentRange(std::string_view text) {
  constexpr std::string_view kUnit = "bytes ";
  text = TrimSpace(text);
  if (!text.starts_with(kUnit)) return std::nullopt;
  text.remove_prefix(kUnit.size());
  size_t dash = text.find('-');
  size_t slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || dash > slash) {
    return std::nullopt;
  }
  std::optional<uint64_t> first = ParseUint(text.substr(0, dash), INT64_MAX);
  std::optional<uint64_t> last = ParseUint(text.substr(dash + 1, slash - dash - 1), INT64_MAX);
  std::string_view rest = text.substr(slash + 1);
  std::optional<uint64_t> size = ParseUint(rest, INT64_MAX);
  if (!first || !last || *last < *first || (!size && rest != "*")) return std::nullopt;
  if (size && *last >= *size) return std::nullopt;
  return ContentRange{*first, *last, size};
}

}  // namespace skiff::images::registry
