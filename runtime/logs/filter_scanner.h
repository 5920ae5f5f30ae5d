// What the kinds of filter pattern share: a scanner over the pattern's text, and the comparison of
// a value. Private to runtime/logs. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "isolation/base/result.h"
#include "runtime/logs/filter_regex.h"

namespace skiff::runtime {

using MessageMatcher = std::function<bool(std::string_view)>;

Error BadPattern(std::string_view why);
std::optional<double> WholeNumber(std::string_view text);  // nullopt: not a number, or not only

class FilterScanner {
 public:
  explicit FilterScanner(std::string_view text) : text_(text) {}
  bool IsEnd();                          // after spaces
  bool Take(std::string_view token);     // after spaces
  bool TakeWord(std::string_view word);  // a keyword in any case, ending there
  char Peek();                           // after spaces; 0 at the end
  bool IsAt(char c) const { return at_ < text_.size() && text_[at_] == c; }
  std::string_view Word(std::string_view stops);  // up to a space or one of `stops`
  Result<std::string> Enclosed(char quote);       // "..." or %...%; \ escapes the quote

 private:
  void SkipSpaces();
  std::string_view text_;
  size_t at_ = 0;
};

// <op> <value> as in `= "4*"`, `>= 3`, `= %re%`.
class ValueComparison {
 public:
  // `stops`: what ends an unquoted value beside a space.
  static Result<ValueComparison> Parse(FilterScanner& scanner, std::string_view stops);
  bool MatchesText(std::string_view text) const;  // a number in it compares as one
  bool MatchesNumber(double value, std::string_view text) const;

 private:
  enum class Operator { kEqual, kUnequal, kLess, kLessEqual, kGreater, kGreaterEqual };
  bool Compare(double value) const;
  Operator operator_ = Operator::kEqual;
  std::string text_;  // may hold '*'
  std::optional<double> number_;
  std::optional<FilterRegex> regex_;
};

Result<MessageMatcher> ParseJsonPattern(std::string_view text);    // filter_pattern_json.cc
Result<MessageMatcher> ParseFieldsPattern(std::string_view text);  // filter_fields.cc

}  // namespace skiff::runtime
