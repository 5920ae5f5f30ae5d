// The filter patterns of CloudWatch Logs:
//
//   ERROR "connection reset" -debug      all of these, none of those; the words anywhere
//   ?ERROR ?WARN                         any of these (ignored beside words without '?')
//   %4[0-9]{2}%                          a regular expression (filter_regex.h)
//   [ip, ..., status = 4*, bytes > 99]   fields between spaces, "..." and [...] being one each
//   { $.level = "E*" && ($.n >= 3 || $.user NOT EXISTS) }   members of a JSON object
//
// Pure; a pattern is immutable. Any thread.
#pragma once

#include <functional>
#include <string_view>

#include "isolation/base/result.h"

namespace skiff::runtime {

class FilterPattern {
 public:
  // Empty or blank text matches everything.
  static Result<FilterPattern> Parse(std::string_view text);
  bool Matches(std::string_view message) const { return matches_(message); }

 private:
  using Matcher = std::function<bool(std::string_view)>;
  explicit FilterPattern(Matcher matches) : matches_(std::move(matches)) {}
  Matcher matches_;
};

}  // namespace skiff::runtime
