// Patterns over JSON objects: { $.a.b = "x*" && ($.n > 3 || $.l[0] IS NULL) }
#include <memory>
#include <nlohmann/json.hpp>
#include <variant>
#include <vector>

#include "isolation/base/json.h"
#include "runtime/logs/filter_scanner.h"
#include "runtime/logs/limits.h"

namespace skiff::runtime {
namespace {

using Json = nlohmann::json;
using JsonMatcher = std::function<bool(const Json&)>;
using Selector = std::vector<std::variant<std::string, size_t>>;

Result<Selector> ParseSelector(FilterScanner& scanner) {
  if (!scanner.Take("$")) return BadPattern("a selector begins with '$'");
  Selector selector;
  for (;;) {
    if (scanner.IsAt('.')) {
      scanner.Take(".");
      std::string name(scanner.Word(".[]&|()}=!<>"));
      if (name.empty()) return BadPattern("a selector has an empty member");
      selector.emplace_back(std::move(name));
    } else if (scanner.IsAt('[')) {
      scanner.Take("[");
      if (scanner.Peek() == '"') {
        std::string name = TRY(scanner.Enclosed('"'));
        selector.emplace_back(std::move(name));
      } else {
        std::optional<double> index = WholeNumber(scanner.Word("]"));
        bool is_index = index && *index >= 0 && *index <= kMaxFilterIndex;
        if (!is_index) return BadPattern("a selector's index is not a number");
        selector.emplace_back(static_cast<size_t>(*index));
      }
      if (!scanner.Take("]")) return BadPattern("a selector's '[' is not closed");
    } else {
      break;
    }
  }
  if (selector.empty()) return BadPattern("a selector names no member");
  return selector;
}

const Json* Select(const Json& value, const Selector& selector) {
  const Json* at = &value;
  for (const auto& step : selector) {
    if (const auto* name = std::get_if<std::string>(&step)) {
      auto found = at->is_object() ? at->find(*name) : at->end();
      if (!at->is_object() || found == at->end()) return nullptr;
      at = &*found;
    } else {
      size_t index = std::get<size_t>(step);
      if (!at->is_array() || index >= at->size()) return nullptr;
      at = &(*at)[index];
    }
  }
  return at;
}

bool Holds(const ValueComparison& comparison, const Json& value) {
  if (value.is_string()) return comparison.MatchesText(value.get_ref<const std::string&>());
  if (value.is_number()) return comparison.MatchesNumber(value.get<double>(), EncodeJson(value));
  if (value.is_boolean()) return comparison.MatchesText(value.get<bool>() ? "true" : "false");
  return false;
}

Result<JsonMatcher> ParseCondition(FilterScanner& scanner) {
  Selector selector = TRY(ParseSelector(scanner));
  if (scanner.TakeWord("IS")) {
    Json wanted;
    if (scanner.TakeWord("TRUE")) {
      wanted = true;
    } else if (scanner.TakeWord("FALSE")) {
      wanted = false;
    } else if (!scanner.TakeWord("NULL")) {
      return BadPattern("IS is followed by TRUE, FALSE or NULL");
    }
    return JsonMatcher([selector = std::move(selector), wanted](const Json& value) {
      const Json* found = Select(value, selector);
      return found != nullptr && *found == wanted;
    });
  }
  if (scanner.TakeWord("NOT")) {
    if (!scanner.TakeWord("EXISTS")) return BadPattern("NOT is followed by EXISTS");
    return JsonMatcher([selector = std::move(selector)](const Json& value) {
      return Select(value, selector) == nullptr;
    });
  }
  if (scanner.TakeWord("EXISTS")) {
    return JsonMatcher([selector = std::move(selector)](const Json& value) {
      return Select(value, selector) != nullptr;
    });
  }
  ValueComparison comparison = TRY(ValueComparison::Parse(scanner, "&|()}"));
  return JsonMatcher([selector = std::move(selector), comparison](const Json& value) {
    const Json* found = Select(value, selector);
    return found != nullptr && Holds(comparison, *found);
  });
}

Result<JsonMatcher> ParseAny(FilterScanner& scanner, int depth);

Result<JsonMatcher> ParseOne(FilterScanner& scanner, int depth) {
  if (!scanner.Take("(")) return ParseCondition(scanner);
  if (depth >= kMaxFilterDepth) return BadPattern("too many parentheses inside each other");
  JsonMatcher inner = TRY(ParseAny(scanner, depth + 1));
  if (!scanner.Take(")")) return BadPattern("')' is expected");
  return inner;
}

Result<JsonMatcher> ParseEvery(FilterScanner& scanner, int depth) {
  std::vector<JsonMatcher> all;
  do {
    JsonMatcher one = TRY(ParseOne(scanner, depth));
    all.push_back(std::move(one));
  } while (scanner.Take("&&"));
  return JsonMatcher([all = std::move(all)](const Json& value) {
    return std::all_of(all.begin(), all.end(), [&](const auto& one) { return one(value); });
  });
}

Result<JsonMatcher> ParseAny(FilterScanner& scanner, int depth) {
  std::vector<JsonMatcher> any;
  do {
    JsonMatcher one = TRY(ParseEvery(scanner, depth));
    any.push_back(std::move(one));
  } while (scanner.Take("||"));
  return JsonMatcher([any = std::move(any)](const Json& value) {
    return std::any_of(any.begin(), any.end(), [&](const auto& one) { return one(value); });
  });
}

}  // namespace

Result<MessageMatcher> ParseJsonPattern(std::string_view text) {
  FilterScanner scanner(text);
  scanner.Take("{");
  JsonMatcher matcher = TRY(ParseAny(scanner, 0));
  if (!scanner.Take("}") || !scanner.IsEnd()) return BadPattern("'}' is expected at the end");
  return MessageMatcher([matcher = std::move(matcher)](std::string_view message) {
    if (message.find('{') == std::string_view::npos) return false;  // most lines are no JSON
    Result<JsonDocument> document = JsonDocument::Parse(message, "log event");
    return document.ok() && document.value().root().IsObject() &&
           matcher(document.value().root().value());
  });
}

}  // namespace skiff::runtime
