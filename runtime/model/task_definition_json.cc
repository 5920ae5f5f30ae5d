#include <algorithm>
#include <concepts>
#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "isolation/base/json.h"
#include "runtime/model/limits.h"
#include "runtime/model/task_definition.h"
#include "runtime/model/task_definition_members.h"
#include "runtime/model/task_definition_names.h"

namespace skiff::runtime {
namespace {

using nlohmann::json;
using std::chrono::seconds;

// What is shared by all readers of one document.
struct Outcome {
  std::vector<std::string> warnings;
  std::optional<Error> error;  // the first; afterwards nothing is read
};

template <typename T>
concept Enumeration = std::is_enum_v<T>;

class Reader {
 public:
  Reader(JsonCursor object, Outcome& outcome) : object_(std::move(object)), outcome_(outcome) {}

  template <typename T>
  void operator()(std::string_view name, T& field) {
    Member(name, field, &Reader::ReadAny<T>);
  }
  template <typename T>
  void Required(std::string_view name, T& field) {
    bool is_present = Member(name, field, &Reader::ReadAny<T>);
    if (!is_present && !outcome_.error) {
      outcome_.error = object_.Get(name).error();
    }
  }
  template <typename T>
  void Always(std::string_view name, T& field) {
    (*this)(name, field);
  }
  void MiB(std::string_view name, std::optional<Bytes>& field) {
    Member(name, field, &Reader::ReadMib);
  }

  // After all members: what else the object has.
  void WarnOfUnknown(const std::vector<std::string_view>& also_known = {}) {
    Result<std::vector<std::pair<std::string, JsonCursor>>> members = object_.Members();
    if (!members.ok()) return Fail(members.error());
    for (const auto& [name, member] : members.value()) {
      if (IsIn(known_, name) || IsIn(also_known, name)) continue;
      outcome_.warnings.push_back("ignored unknown member " + member.path());
    }
  }

 private:
  static bool IsIn(const std::vector<std::string_view>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  }

  void Fail(Error error) {
    if (!outcome_.error) outcome_.error = std::move(error);
  }

  // Returns false when the member is absent.
  template <typename T>
  bool Member(std::string_view name, T& field, void (Reader::*read)(const JsonCursor&, T&)) {
    known_.push_back(name);
    if (outcome_.error) return false;
    Result<std::optional<JsonCursor>> found = object_.Find(name);
    if (!found.ok()) return Fail(std::move(found).error()), false;
    if (found.value()) (this->*read)(*found.value(), field);
    return found.value().has_value();
  }

  template <typename T>
  void ReadAny(const JsonCursor& at, T& field) {
    Read(at, field);
  }

  template <typename T, typename Wide>
  void Assign(Result<Wide> wide, T& field) {
    if (!wide.ok()) return Fail(std::move(wide).error());
    field = static_cast<T>(std::move(wide).value());
  }

  // A NUL would end the text early for the kernel: "/bin/sh\0x" must not become "/bin/sh".
  void Read(const JsonCursor& at, std::string& field) {
    Assign(at.String(), field);
    if (field.find('\0') != std::string::npos) Fail(at.Invalid("contains a NUL character"));
  }
  void Read(const JsonCursor& at, bool& field) { Assign(at.Boolean(), field); }
  void Read(const JsonCursor& at, Flag& field) { Assign(at.Boolean(), field); }
  void Read(const JsonCursor& at, int64_t& field) {
    using Limits = std::numeric_limits<int32_t>;  // an Integer of the API has 32 bits
    Assign(at.Integer(Limits::min(), Limits::max()), field);
  }
  void Read(const JsonCursor& at, uint16_t& field) { Assign(at.Integer(0, UINT16_MAX), field); }
  void Read(const JsonCursor& at, seconds& field) { Assign(at.Integer(0, INT32_MAX), field); }
  void Read(const JsonCursor& at, CpuUnits& field) {
    Result<std::string> text = at.String();
    if (!text.ok()) return Fail(std::move(text).error());
    Assign(ParseTaskCpu(text.value()), field);
  }
  void Read(const JsonCursor& at, Bytes& field) {
    Result<std::string> text = at.String();
    if (!text.ok()) return Fail(std::move(text).error());
    Assign(ParseTaskMemory(text.value()), field);
  }
  void ReadMib(const JsonCursor& at, std::optional<Bytes>& field) {
    Result<int64_t> mib = at.Integer(0, kMaxMemoryMib);
    if (!mib.ok()) return Fail(std::move(mib).error());
    field = Bytes::MiB(static_cast<uint64_t>(mib.value()));
  }

  template <Enumeration T>
  void Read(const JsonCursor& at, T& field) {
    Result<std::string> text = at.String();
    if (!text.ok()) return Fail(std::move(text).error());
    std::optional<T> value = ValueIn(NamesOf(T{}), text.value());
    if (value) {
      field = *value;
      return;
    }
    std::string names;
    for (const auto& entry : NamesOf(T{})) {
      names += (names.empty() ? "" : ", ") + std::string(entry.second);
    }
    Fail(at.Invalid("\"" + text.value() + "\" is none of " + names));
  }

  template <typename T>
  void Read(const JsonCursor& at, std::optional<T>& field) {
    Read(at, field.emplace());
  }

  template <typename T>
  void Read(const JsonCursor& at, std::vector<T>& field) {
    Result<std::vector<JsonCursor>> elements = at.Elements();
    if (!elements.ok()) return Fail(std::move(elements).error());
    for (const JsonCursor& element : elements.value()) {
      if (outcome_.error) return;
      Read(element, field.emplace_back());
    }
  }

  void Read(const JsonCursor& at, StringMap& field) {
    Result<std::vector<std::pair<std::string, JsonCursor>>> members = at.Members();
    if (!members.ok()) return Fail(std::move(members).error());
    for (const auto& [name, member] : members.value()) Read(member, field[name]);
  }

  template <typename T>
  requires requires(Reader& io, T& v) { Members(io, v); }
  void Read(const JsonCursor& at, T& field) {
    Reader inner(at, outcome_);
    Members(inner, field);
    if (!outcome_.error) inner.WarnOfUnknown();
  }

  JsonCursor object_;
  Outcome& outcome_;
  std::vector<std::string_view> known_;
};

class Writer {
 public:
  json object = json::object();

  template <typename T>
  void operator()(const char* name, T& field) {
    if (IsGiven(field)) object[name] = Value(field);
  }
  template <typename T>
  void Required(const char* name, T& field) {
    object[name] = Value(field);
  }
  template <typename T>
  void Always(const char* name, T& field) {
    Required(name, field);
  }
  void MiB(const char* name, std::optional<Bytes>& field) {
    if (field) object[name] = field->mib();
  }

 private:
  static bool IsGiven(const std::string& field) { return !field.empty(); }
  static bool IsGiven(const Flag& field) { return field.is_given(); }
  static bool IsGiven(const StringMap& field) { return !field.empty(); }
  static bool IsGiven(bool) { return true; }
  static bool IsGiven(int64_t) { return true; }
  template <typename T>
  static bool IsGiven(const std::optional<T>& field) {
    return field.has_value();
  }
  template <typename T>
  static bool IsGiven(const std::vector<T>& field) {
    return !field.empty();
  }

  static json Value(const std::string& field) { return field; }
  static json Value(const StringMap& field) { return field; }
  static json Value(bool field) { return field; }
  static json Value(int64_t field) { return field; }
  static json Value(uint16_t field) { return field; }
  static json Value(const Flag& field) { return static_cast<bool>(field); }
  static json Value(seconds field) { return field.count(); }
  static json Value(CpuUnits field) { return std::to_string(field.count()); }
  static json Value(Bytes field) { return std::to_string(field.mib()); }
  template <Enumeration T>
  static json Value(T field) {
    return NameIn(NamesOf(field), field);
  }
  template <typename T>
  static json Value(std::optional<T>& field) {
    return Value(*field);
  }
  template <typename T>
  static json Value(std::vector<T>& field) {
    json array = json::array();
    for (T& element : field) array.push_back(Value(element));
    return array;
  }
  template <typename T>
  requires requires(Writer& io, T& v) { Members(io, v); }
  static json Value(T& field) {
    Writer inner;
    Members(inner, field);
    return std::move(inner.object);
  }
};

// Members that describe-task-definition adds; they are facts about a registration, not input.
const std::vector<std::string_view> kOutputMembers = {
    "taskDefinitionArn", "revision",     "status",         "requiresAttributes", "compatibilities",
    "registeredAt",      "registeredBy", "deregisteredAt", "deleteRequestedAt"};

Result<ParsedTaskDefinition> ReadDefinition(const JsonCursor& root) {
  Outcome outcome;
  ParsedTaskDefinition parsed;
  std::optional<JsonCursor> wrapped = TRY(root.Find("taskDefinition"));
  Reader reader(wrapped.value_or(root), outcome);
  Members(reader, parsed.definition);
  if (!outcome.error) reader.WarnOfUnknown(kOutputMembers);
  if (wrapped && !outcome.error) {
    Reader wrapper(root, outcome);
    wrapper("tags", parsed.definition.tags);  // describe-task-definition has them outside
    if (!outcome.error) wrapper.WarnOfUnknown({"taskDefinition"});
  }
  if (outcome.error) return std::move(*outcome.error);
  parsed.warnings = std::move(outcome.warnings);
  return parsed;
}

}  // namespace

Result<ParsedTaskDefinition> ParseTaskDefinition(std::string_view text, std::string_view what) {
  JsonDocument document = TRY(JsonDocument::Parse(text, what, kMaxTaskDefinitionBytes));
  return ReadDefinition(document.root()).Context(what);
}

std::string EncodeTaskDefinition(const TaskDefinition& definition) {
  TaskDefinition copy = definition;  // the member lists serve reading too and want it writable
  Writer writer;
  Members(writer, copy);
  return EncodeJson(writer.object);
}

}  // namespace skiff::runtime
