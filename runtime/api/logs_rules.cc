#include "runtime/api/logs_rules.h"

#include <algorithm>

namespace skiff::runtime::api {
namespace {

Error TooLongName() {
  return InvalidLogs(
      "Invalid LogGroup or LogStream, both must have length less than or equal to 512.");
}

}  // namespace

Error InvalidLogs(std::string_view problem) {
  return Error(Code::kInvalid, std::string(problem)).WithKind("InvalidParameterException");
}

Error Unsatisfied(std::string_view member, std::string_view value, std::string_view constraint) {
  return InvalidLogs("1 validation error detected: Value '" + std::string(value) + "' at '" +
                     std::string(member) + "' failed to satisfy constraint: Member must " +
                     std::string(constraint));
}

Error NoLogGroup() {
  return Error(Code::kNotFound, "The specified log group does not exist.")
      .WithKind("ResourceNotFoundException");
}

Error NoLogStream() {
  return Error(Code::kNotFound, "The specified log stream does not exist.")
      .WithKind("ResourceNotFoundException");
}

Result<> CheckGroupName(std::string_view name) {
  if (name.empty()) {
    return Unsatisfied("logGroupName", name, "have length greater than or equal to 1");
  }
  if (name.size() > kMaxLogName) return TooLongName();
  bool is_plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("._-/#").find(c) != std::string_view::npos;
  });
  if (!is_plain) {
    return Unsatisfied("logGroupName", name,
                       "satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+");
  }
  if (name.starts_with("aws/")) return InvalidLogs("logGroupName: must not begin with aws/");
  return {};
}

Result<> CheckStreamName(std::string_view name) {
  if (name.empty()) {
    return Unsatisfied("logStreamName", name, "have length greater than or equal to 1");
  }
  if (name.size() > kMaxLogName) return TooLongName();
  if (name.find_first_of(":*") != std::string_view::npos) {
    return Unsatisfied("logStreamName", name, "satisfy regular expression pattern: [^:*]*");
  }
  return {};
}

Result<JsonCursor> Required(const JsonCursor& input, std::string_view name) {
  std::optional<JsonCursor> found = TRY(input.Find(name));
  if (found) return *std::move(found);
  return InvalidLogs("1 validation error detected: Value null at '" + std::string(name) +
                     "' failed to satisfy constraint: Member must not be null");
}

Result<> CheckMembers(const JsonCursor& input, std::initializer_list<std::string_view> known) {
  std::vector<std::string> unknown = input.UnknownMembers(known);
  if (unknown.empty()) return {};
  return InvalidLogs(unknown.front() + ": not supported");
}

Result<int64_t> PageLimit(const JsonCursor& input, int64_t most) {
  std::optional<int64_t> given = TRY(input.FindInteger("limit"));
  int64_t limit = given.value_or(most);
  if (limit > most) {
    return Unsatisfied("limit", std::to_string(limit),
                       "have value less than or equal to " + std::to_string(most));
  }
  if (limit < 1) {
    return Unsatisfied("limit", std::to_string(limit), "have value greater than or equal to 1");
  }
  return limit;
}

Result<std::string> StringOr(const JsonCursor& input, std::string_view name) {
  std::optional<std::string> found = TRY(input.FindString(name));
  return std::move(found).value_or("");
}

Result<> AddTagsTo(LogGroupRecord& group, const JsonCursor& tags) {
  auto members = TRY(tags.Members());
  for (const auto& [key, cursor] : members) {
    std::string value = TRY(cursor.String());
    if (key.empty() || key.size() > kMaxTagKey || value.size() > kMaxTagValue) {
      return InvalidLogs("tags: a key has 1 to 128 characters, a value up to 256");
    }
    if (key.starts_with("aws:")) return InvalidLogs("tags: a key must not begin with aws:");
    auto same = [&, name = key](const Tag& tag) { return tag.key == name; };
    std::erase_if(group.tags, same);
    group.tags.push_back({key, value});
  }
  if (group.tags.size() <= kMaxLogTags) return {};
  return Error(Code::kInvalid, "tags: a log group has at most 50").WithKind("TooManyTagsException");
}

EventSource SourceOf(const LogStreamRecord& stream) {
  return stream.source == LogStreamRecord::Source::kPut ? EventSource::kPut
                                                        : EventSource::kContainer;
}

// FNV-1a.
uint64_t HashOf(std::string_view text) {
  uint64_t hash = 14695981039346656037ULL;
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

}  // namespace skiff::runtime::api
