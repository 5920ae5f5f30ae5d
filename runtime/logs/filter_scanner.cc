#include "runtime/logs/filter_scanner.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace skiff::runtime {
namespace {

// '*' stands for any bytes.
bool IsLike(std::string_view text, std::string_view pattern) {
  size_t at = 0;
  size_t in = 0;
  size_t star = std::string_view::npos;
  size_t retry = 0;
  while (at < text.size()) {
    if (in < pattern.size() && pattern[in] == '*') {
      star = in++;
      retry = at;
    } else if (in < pattern.size() && pattern[in] == text[at]) {
      ++in;
      ++at;
    } else if (star != std::string_view::npos) {
      in = star + 1;
      at = ++retry;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', in) == std::string_view::npos;
}

}  // namespace

Error BadPattern(std::string_view why) {
  return Error(Code::kInvalid, "filterPattern: " + std::string(why));
}

std::optional<double> WholeNumber(std::string_view text) {
  double number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

void FilterScanner::SkipSpaces() {
  while (at_ < text_.size() && (text_[at_] == ' ' || (text_[at_] >= '\t' && text_[at_] <= '\r'))) {
    ++at_;
  }
}

bool FilterScanner::IsEnd() {
  SkipSpaces();
  return at_ == text_.size();
}

char FilterScanner::Peek() { return IsEnd() ? '\0' : text_[at_]; }

bool FilterScanner::Take(std::string_view token) {
  SkipSpaces();
  if (!text_.substr(at_).starts_with(token)) return false;
  at_ += token.size();
  return true;
}

bool FilterScanner::TakeWord(std::string_view word) {
  size_t before = at_;
  SkipSpaces();
  std::string_view found = Word("&|()}=!<>");
  if (std::equal(found.begin(), found.end(), word.begin(), word.end(),
                 [](char a, char b) { return std::toupper(static_cast<unsigned char>(a)) == b; })) {
    return true;
  }
  at_ = before;
  return false;
}

std::string_view FilterScanner::Word(std::string_view stops) {
  SkipSpaces();
  size_t begin = at_;
  while (at_ < text_.size() && !std::isspace(static_cast<unsigned char>(text_[at_])) &&
         stops.find(text_[at_]) == std::string_view::npos) {
    ++at_;
  }
  return text_.substr(begin, at_ - begin);
}

Result<std::string> FilterScanner::Enclosed(char quote) {
  SkipSpaces();
  ++at_;
  std::string text;
  while (at_ < text_.size() && text_[at_] != quote) {
    if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
      // In a regular expression the other escapes are its own.
      if (quote == '%' && text_[at_ + 1] != quote) text += '\\';
      ++at_;
    }
    text += text_[at_++];
  }
  if (at_ == text_.size()) return BadPattern(std::string("a ") + quote + " is not closed");
  ++at_;
  return text;
}

Result<ValueComparison> ValueComparison::Parse(FilterScanner& scanner, std::string_view stops) {
  ValueComparison comparison;
  bool is_order = true;
  if (scanner.Take("!=")) {
    comparison.operator_ = Operator::kUnequal;
    is_order = false;
  } else if (scanner.Take("<=")) {
    comparison.operator_ = Operator::kLessEqual;
  } else if (scanner.Take(">=")) {
    comparison.operator_ = Operator::kGreaterEqual;
  } else if (scanner.Take("<")) {
    comparison.operator_ = Operator::kLess;
  } else if (scanner.Take(">")) {
    comparison.operator_ = Operator::kGreater;
  } else if (scanner.Take("=")) {
    is_order = false;
  } else {
    return BadPattern("a comparison is expected");
  }
  char first = scanner.Peek();
  if (first == '%') {
    std::string regex = TRY(scanner.Enclosed('%'));
    comparison.regex_ = TRY(FilterRegex::Parse(regex).Context("filterPattern"));
  } else if (first == '"') {
    comparison.text_ = TRY(scanner.Enclosed('"'));
  } else {
    comparison.text_ = std::string(scanner.Word(stops));
    if (comparison.text_.empty()) return BadPattern("a value is missing");
    comparison.number_ = WholeNumber(comparison.text_);
  }
  if (is_order && !comparison.number_) return BadPattern("<, <=, > and >= take a number");
  return comparison;
}

bool ValueComparison::Compare(double value) const {
  switch (operator_) {
    case Operator::kEqual:
      return value == *number_;
    case Operator::kUnequal:
      return value != *number_;
    case Operator::kLess:
      return value < *number_;
    case Operator::kLessEqual:
      return value <= *number_;
    case Operator::kGreater:
      return value > *number_;
    case Operator::kGreaterEqual:
      return value >= *number_;
  }
  return false;
}

bool ValueComparison::MatchesText(std::string_view text) const {
  if (regex_) return regex_->Matches(text) == (operator_ == Operator::kEqual);
  std::optional<double> value = WholeNumber(text);
  if (number_ && value) return Compare(*value);
  if (operator_ != Operator::kEqual && operator_ != Operator::kUnequal) return false;
  return IsLike(text, text_) == (operator_ == Operator::kEqual);
}

bool ValueComparison::MatchesNumber(double value, std::string_view text) const {
  return number_ ? Compare(value) : MatchesText(text);
}

}  // namespace skiff::runtime
