#include "runtime/logs/filter_pattern.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "runtime/logs/filter_scanner.h"
#include "runtime/logs/limits.h"

namespace skiff::runtime {
namespace {

struct Term {
  std::string text;
  std::optional<FilterRegex> regex;
  bool Matches(std::string_view message) const {
    return regex ? regex->Matches(message) : message.find(text) != std::string_view::npos;
  }
};

struct Terms {
  std::vector<Term> required;
  std::vector<Term> excluded;
  std::vector<Term> optional;

  bool Matches(std::string_view message) const {
    auto matches = [&](const Term& term) { return term.Matches(message); };
    if (required.empty() && excluded.empty() && !optional.empty()) {
      return std::any_of(optional.begin(), optional.end(), matches);
    }
    return std::all_of(required.begin(), required.end(), matches) &&
           std::none_of(excluded.begin(), excluded.end(), matches);
  }
};

bool IsTermCharacter(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

Result<Term> ParseTerm(FilterScanner& scanner) {
  Term term;
  if (scanner.IsAt('"')) {
    term.text = TRY(scanner.Enclosed('"'));
  } else if (scanner.IsAt('%')) {
    std::string regex = TRY(scanner.Enclosed('%'));
    term.regex = TRY(FilterRegex::Parse(regex).Context("filterPattern"));
  } else {
    term.text = std::string(scanner.Word("\"%"));
    if (term.text.empty()) return BadPattern("a term is missing");
    if (!std::all_of(term.text.begin(), term.text.end(), IsTermCharacter)) {
      return BadPattern("Invalid character(s) in term '" + term.text + "'");
    }
  }
  return term;
}

Result<MessageMatcher> ParseTerms(std::string_view text) {
  FilterScanner scanner(text);
  auto terms = std::make_shared<Terms>();
  while (!scanner.IsEnd()) {
    auto* list = &terms->required;
    if (scanner.Take("-")) {
      list = &terms->excluded;
    } else if (scanner.Take("?")) {
      list = &terms->optional;
    }
    Term term = TRY(ParseTerm(scanner));
    list->push_back(std::move(term));
  }
  return MessageMatcher([terms](std::string_view message) { return terms->Matches(message); });
}

}  // namespace

Result<FilterPattern> FilterPattern::Parse(std::string_view text) {
  if (text.size() > kMaxFilterPattern) {
    return BadPattern("longer than " + std::to_string(kMaxFilterPattern) + " bytes");
  }
  FilterScanner scanner(text);
  char first = scanner.Peek();
  auto parse = first == '{' ? ParseJsonPattern : first == '[' ? ParseFieldsPattern : ParseTerms;
  MessageMatcher matcher = TRY(parse(text));
  return FilterPattern(std::move(matcher));
}

}  // namespace skiff::runtime
