// Reading JSON with errors that name the place: "containerDefinitions[1].memory: expected integer,
// got string".
//
// JsonDocument owns the parsed text; a JsonCursor points at one value in it and knows its path, and
// must not outlive the document. A member that is null counts as absent, as in the AWS protocols.
// Writing uses nlohmann::json in
// *_json.cc files and EncodeJson here. Any thread, one document each.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "isolation/base/limits.h"
#include "isolation/base/result.h"

namespace skiff {

// The Error::kind of a value whose JSON type is not the one asked for.
inline constexpr const char* kWrongJsonType = "WrongJsonType";

class JsonCursor {
 public:
  JsonCursor(const nlohmann::json* value, std::string path)
      : value_(value), path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  const nlohmann::json& value() const { return *value_; }
  bool IsObject() const;
  bool IsString() const;
  bool IsArray() const;

  // Typed readers. The error names the path and both types.
  Result<std::string> String() const;
  Result<bool> Boolean() const;
  Result<int64_t> Integer(int64_t min = INT64_MIN, int64_t max = INT64_MAX) const;
  Result<double> Number() const;
  Result<std::vector<JsonCursor>> Elements() const;                         // of an array
  Result<std::vector<std::string>> Strings() const;                         // an array of strings
  Result<std::vector<std::pair<std::string, JsonCursor>>> Members() const;  // of an object

  // Members of an object. Find: absent or null is nullopt; the value is checked to be an object
  // first.
  Result<std::optional<JsonCursor>> Find(std::string_view name) const;
  Result<JsonCursor> Get(std::string_view name) const;  // absent is an error
  Result<std::optional<std::string>> FindString(std::string_view name) const;
  Result<std::optional<bool>> FindBoolean(std::string_view name) const;
  Result<std::optional<int64_t>> FindInteger(std::string_view name, int64_t min = INT64_MIN,
                                             int64_t max = INT64_MAX) const;
  Result<std::vector<std::string>> FindStrings(std::string_view name) const;  // absent: empty
  Result<std::vector<JsonCursor>> FindElements(std::string_view name) const;  // absent: empty

  // The paths of members whose names are not in `known`; empty when this is no object.
  std::vector<std::string> UnknownMembers(std::initializer_list<std::string_view> known) const;

  // "<path>: <problem>", code kInvalid.
  Error Invalid(std::string_view problem) const;

 private:
  const nlohmann::json* value_;
  std::string path_;
};

class JsonDocument {
 public:
  // Refuses text above `max_bytes`, nesting above kMaxJsonDepth, and anything after the value.
  // `what` names the document in errors ("task definition web.json").
  static Result<JsonDocument> Parse(std::string_view text, std::string_view what,
                                    size_t max_bytes = kMaxJsonBytes);

  JsonCursor root() const;

 private:
  explicit JsonDocument(std::shared_ptr<const nlohmann::json> value) : value_(std::move(value)) {}
  std::shared_ptr<const nlohmann::json> value_;
};

// Never throws: bytes that are not UTF-8 become U+FFFD. indent < 0: one line.
std::string EncodeJson(const nlohmann::json& value, int indent = -1);

}  // namespace skiff
