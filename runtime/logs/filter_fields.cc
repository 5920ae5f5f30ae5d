// Patterns of fields between spaces: [ip, user, ..., status = 4* || status = 500]
#include <algorithm>
#include <memory>
#include <vector>

#include "runtime/logs/filter_scanner.h"
#include "runtime/logs/limits.h"

namespace skiff::runtime {
namespace {

constexpr std::string_view kStops = ",]&|=!<>";

struct Field {
  // Any of the groups, of which all comparisons; none: any value.
  std::vector<std::vector<ValueComparison>> any_of;
  bool is_ellipsis = false;

  bool Matches(std::string_view text) const {
    if (any_of.empty()) return true;
    for (const auto& all_of : any_of) {
      bool holds = true;
      for (const ValueComparison& comparison : all_of) holds &= comparison.MatchesText(text);
      if (holds) return true;
    }
    return false;
  }
};

Result<Field> ParseField(FilterScanner& scanner) {
  Field field;
  if (scanner.Take("...")) {
    field.is_ellipsis = true;
    return field;
  }
  std::string name(scanner.Word(kStops));
  if (name.empty()) return BadPattern("a field's name is missing");
  if (scanner.Peek() == ',' || scanner.Peek() == ']') return field;
  field.any_of.emplace_back();
  for (;;) {
    ValueComparison comparison = TRY(ValueComparison::Parse(scanner, ",]&|"));
    field.any_of.back().push_back(std::move(comparison));
    if (scanner.Take("||")) {
      field.any_of.emplace_back();
    } else if (!scanner.Take("&&")) {
      return field;
    }
    if (scanner.Word(kStops) != name) return BadPattern("field " + name + ": names another field");
  }
}

// "..." and [...] are one field each, without their marks.
std::vector<std::string_view> SplitFields(std::string_view text) {
  std::vector<std::string_view> fields;
  size_t at = 0;
  while ((at = text.find_first_not_of(" \t\r\n", at)) != std::string_view::npos) {
    char close = text[at] == '"' ? '"' : text[at] == '[' ? ']' : '\0';
    size_t end = close == '\0' ? std::string_view::npos : text.find(close, at + 1);
    bool is_enclosed = close != '\0' && end != std::string_view::npos;
    size_t begin = is_enclosed ? at + 1 : at;
    if (!is_enclosed) end = std::min(text.find_first_of(" \t\r\n", at), text.size());
    fields.push_back(text.substr(begin, end - begin));
    at = is_enclosed ? end + 1 : end;
    if (fields.size() > kMaxFilterFields) break;  // no pattern has so many
  }
  return fields;
}

bool MatchesFields(const std::vector<Field>& pattern, size_t ellipsis,
                   const std::vector<std::string_view>& values) {
  bool has_ellipsis = ellipsis < pattern.size();
  size_t named = pattern.size() - (has_ellipsis ? 1 : 0);
  if (has_ellipsis ? values.size() < named : values.size() != named) return false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (i == ellipsis) continue;
    size_t at = i < ellipsis ? i : values.size() - (pattern.size() - i);
    if (!pattern[i].Matches(values[at])) return false;
  }
  return true;
}

}  // namespace

Result<MessageMatcher> ParseFieldsPattern(std::string_view text) {
  FilterScanner scanner(text);
  scanner.Take("[");
  auto fields = std::make_shared<std::vector<Field>>();
  size_t ellipsis = std::string_view::npos;
  do {
    Field field = TRY(ParseField(scanner));
    if (field.is_ellipsis && ellipsis != std::string_view::npos) {
      return BadPattern("'...' may stand once");
    }
    if (field.is_ellipsis) ellipsis = fields->size();
    fields->push_back(std::move(field));
    if (fields->size() > kMaxFilterFields) return BadPattern("too many fields");
  } while (scanner.Take(","));
  if (!scanner.Take("]") || !scanner.IsEnd()) return BadPattern("']' is expected at the end");
  return MessageMatcher([fields, ellipsis](std::string_view message) {
    return MatchesFields(*fields, ellipsis, SplitFields(message));
  });
}

}  // namespace skiff::runtime
