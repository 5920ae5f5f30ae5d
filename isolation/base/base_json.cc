#include <nlohmann/json.hpp>

#include "isolation/base/json.h"

namespace skiff {
namespace {

using nlohmann::json;

// nlohmann's parser keeps its own stack, but comparing and dumping deep values recurse.
bool IsTooDeep(std::string_view text) {
  size_t depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxJsonDepth) return true;
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return false;
}

// Where the first syntax error is, in words; the parser's own text carries its library's jargon.
std::string DescribeSyntaxError(std::string_view text) {
  try {
    [[maybe_unused]] json ignored = json::parse(text);
  } catch (const json::parse_error& error) {
    size_t at = error.byte > 0 ? error.byte - 1 : 0;
    size_t line = 1;
    size_t column = 1;
    for (size_t i = 0; i < at && i < text.size(); ++i) {
      column = text[i] == '\n' ? 1 : column + 1;
      line += text[i] == '\n';
    }
    if (at >= text.size()) return "not valid JSON: it ends too early";
    return "not valid JSON at line " + std::to_string(line) + ", column " + std::to_string(column);
  } catch (const json::exception&) {
    return "not valid JSON: a number is out of range";
  }
  return "not valid JSON";
}

const char* TypeName(const json& value) {
  if (value.is_number_integer()) return "integer";
  return value.type_name();
}

std::string MemberPath(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : path + "." + std::string(name);
}

}  // namespace

Result<JsonDocument> JsonDocument::Parse(std::string_view text, std::string_view what,
                                         size_t max_bytes) {
  std::string name(what);
  if (text.size() > max_bytes) {
    return Error(Code::kInvalid, name + ": longer than " + std::to_string(max_bytes) + " bytes");
  }
  if (IsTooDeep(text)) {
    return Error(Code::kInvalid, name + ": nested deeper than " + std::to_string(kMaxJsonDepth));
  }
  auto value = std::make_shared<json>(json::parse(text, nullptr, false));
  if (value->is_discarded()) return Error(Code::kInvalid, name + ": " + DescribeSyntaxError(text));
  return JsonDocument(std::move(value));
}

JsonCursor JsonDocument::root() const { return JsonCursor(value_.get(), ""); }

bool JsonCursor::IsObject() const { return value_->is_object(); }
bool JsonCursor::IsString() const { return value_->is_string(); }
bool JsonCursor::IsArray() const { return value_->is_array(); }

Error JsonCursor::Invalid(std::string_view problem) const {
  return Error(Code::kInvalid, (path_.empty() ? "" : path_ + ": ") + std::string(problem));
}

namespace {
Error WrongType(const JsonCursor& cursor, std::string_view expected) {
  return cursor.Invalid("expected " + std::string(expected) + ", got " + TypeName(cursor.value()))
      .WithKind(kWrongJsonType);
}
}  // namespace

Result<std::string> JsonCursor::String() const {
  if (!value_->is_string()) return WrongType(*this, "string");
  return value_->get<std::string>();
}

Result<bool> JsonCursor::Boolean() const {
  if (!value_->is_boolean()) return WrongType(*this, "boolean");
  return value_->get<bool>();
}

Result<int64_t> JsonCursor::Integer(int64_t min, int64_t max) const {
  if (!value_->is_number_integer()) return WrongType(*this, "integer");
  bool is_huge =
      value_->is_number_unsigned() && value_->get<uint64_t>() > static_cast<uint64_t>(INT64_MAX);
  int64_t number = is_huge ? INT64_MAX : value_->get<int64_t>();
  if (is_huge || number < min || number > max) {
    return Invalid(value_->dump() + " is not between " + std::to_string(min) + " and " +
                   std::to_string(max));
  }
  return number;
}

Result<double> JsonCursor::Number() const {
  if (!value_->is_number()) return WrongType(*this, "number");
  return value_->get<double>();
}

Result<std::vector<JsonCursor>> JsonCursor::Elements() const {
  if (!value_->is_array()) return WrongType(*this, "array");
  std::vector<JsonCursor> elements;
  for (size_t i = 0; i < value_->size(); ++i) {
    elements.emplace_back(&(*value_)[i], path_ + "[" + std::to_string(i) + "]");
  }
  return elements;
}

Result<std::vector<std::string>> JsonCursor::Strings() const {
  std::vector<std::string> strings;
  std::vector<JsonCursor> elements = TRY(Elements());
  for (const JsonCursor& element : elements) {
    std::string text = TRY(element.String());
    strings.push_back(std::move(text));
  }
  return strings;
}

Result<std::vector<std::pair<std::string, JsonCursor>>> JsonCursor::Members() const {
  if (!value_->is_object()) return WrongType(*this, "object");
  std::vector<std::pair<std::string, JsonCursor>> members;
  for (const auto& [name, member] : value_->items()) {
    members.emplace_back(name, JsonCursor(&member, MemberPath(path_, name)));
  }
  return members;
}

Result<std::optional<JsonCursor>> JsonCursor::Find(std::string_view name) const {
  if (!value_->is_object()) return WrongType(*this, "object");
  auto found = value_->find(name);
  if (found == value_->end() || found->is_null()) return std::optional<JsonCursor>();
  return std::optional<JsonCursor>(JsonCursor(&*found, MemberPath(path_, name)));
}

Result<JsonCursor> JsonCursor::Get(std::string_view name) const {
  std::optional<JsonCursor> found = TRY(Find(name));
  if (!found) return Error(Code::kInvalid, MemberPath(path_, name) + ": missing");
  return *found;
}

Result<std::optional<std::string>> JsonCursor::FindString(std::string_view name) const {
  std::optional<JsonCursor> found = TRY(Find(name));
  if (!found) return std::optional<std::string>();
  std::string text = TRY(found->String());
  return std::optional<std::string>(std::move(text));
}

Result<std::optional<bool>> JsonCursor::FindBoolean(std::string_view name) const {
  std::optional<JsonCursor> found = TRY(Find(name));
  if (!found) return std::optional<bool>();
  bool value = TRY(found->Boolean());
  return std::optional<bool>(value);
}

Result<std::optional<int64_t>> JsonCursor::FindInteger(std::string_view name, int64_t min,
                                                       int64_t max) const {
  std::optional<JsonCursor> found = TRY(Find(name));
  if (!found) return std::optional<int64_t>();
  int64_t value = TRY(found->Integer(min, max));
  return std::optional<int64_t>(value);
}

Result<std::vector<std::string>> JsonCursor::FindStrings(std::string_view name) const {
  std::optional<JsonCursor> found = TRY(Find(name));
  if (!found) return std::vector<std::string>();
  return found->Strings();
}

Result<std::vector<JsonCursor>> JsonCursor::FindElements(std::string_view name) const {
  std::optional<JsonCursor> found = TRY(Find(name));
  if (!found) return std::vector<JsonCursor>();
  return found->Elements();
}

std::vector<std::string> JsonCursor::UnknownMembers(
    std::initializer_list<std::string_view> known) const {
  std::vector<std::string> unknown;
  if (!value_->is_object()) return unknown;
  for (const auto& [name, member] : value_->items()) {
    bool is_known = false;
    for (std::string_view candidate : known) is_known = is_known || candidate == name;
    if (!is_known) unknown.push_back(MemberPath(path_, name));
  }
  return unknown;
}

std::string EncodeJson(const nlohmann::json& value, int indent) {
  return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

}  // namespace skiff
