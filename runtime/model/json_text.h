// Structs to JSON text and back, by lists of their members: what the store keeps and what the API
// answers is written often, so the text is made without a tree of values in between.
//
// A list is a function template Members(io, struct) that calls io(name, field) for each member
// (task_members.h); `io` is a MemberWriter or a MemberReader. Empty texts and lists, false and
// absent optionals are not written; Always and Required are. Enumerations go by NamesOf. Any
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "isolation/base/json.h"
#include "runtime/model/names.h"

namespace skiff::runtime {

// Appends `text` as a JSON string; bytes that are not UTF-8 become U+FFFD.
void AppendJsonString(std::string& out, std::string_view text);

template <typename T>
concept NamedEnum = std::is_enum_v<T>;

// Appends one object to `out`. Close ends it.
class MemberWriter {
 public:
  explicit MemberWriter(std::string& out) : out_(out) { out_ += '{'; }
  void Close() { out_ += '}'; }

  template <typename T>
  void operator()(std::string_view name, const T& field) {
    if (IsGiven(field)) Always(name, field);
  }
  template <typename T>
  void Always(std::string_view name, const T& field) {
    Name(name);
    Value(field);
  }
  template <typename T>
  void Required(std::string_view name, const T& field) {
    Always(name, field);
  }
  // A member whose value is JSON text already.
  void Raw(std::string_view name, std::string_view json) {
    Name(name);
    out_ += json;
  }

 private:
  static bool IsGiven(const std::string& field) { return !field.empty(); }
  static bool IsGiven(std::string_view field) { return !field.empty(); }
  static bool IsGiven(bool field) { return field; }
  template <typename T>
  static bool IsGiven(const std::optional<T>& field) {
    return field.has_value();
  }
  template <typename T>
  static bool IsGiven(const std::vector<T>& field) {
    return !field.empty();
  }
  template <typename T>
  static bool IsGiven(const T&) {
    return true;
  }

  void Name(std::string_view name) {
    if (!is_first_) out_ += ',';
    is_first_ = false;
    out_ += '"';
    out_ += name;
    out_ += "\":";
  }
  void Value(const std::string& field) { AppendJsonString(out_, field); }
  void Value(std::string_view field) { AppendJsonString(out_, field); }
  void Value(bool field) { out_ += field ? "true" : "false"; }
  void Value(int field) { out_ += std::to_string(field); }
  void Value(int64_t field) { out_ += std::to_string(field); }
  void Value(uint64_t field) { out_ += std::to_string(field); }
  template <NamedEnum T>
  void Value(T field) {
    Value(NameIn(NamesOf(field), field));
  }
  template <typename T>
  void Value(const std::optional<T>& field) {
    Value(*field);
  }
  template <typename T>
  void Value(const std::vector<T>& field) {
    out_ += '[';
    for (size_t i = 0; i < field.size(); ++i) {
      if (i > 0) out_ += ',';
      Value(field[i]);
    }
    out_ += ']';
  }
  template <typename T>
  requires requires(MemberWriter& io, T& v) { Members(io, v); }
  void Value(const T& field) {
    MemberWriter inner(out_);
    // The lists serve reading too and want their fields writable; a writer leaves them alone.
    Members(inner, const_cast<T&>(field));  // NOLINT(cppcoreguidelines-pro-type-const-cast)
    inner.Close();
  }

  std::string& out_;
  bool is_first_ = true;
};

// Reads members of one object. The first error is kept; afterwards nothing is read. Members it is
// not asked for are ignored.
class MemberReader {
 public:
  MemberReader(JsonCursor object, std::optional<Error>& error)
      : object_(std::move(object)), error_(error) {}

  template <typename T>
  void operator()(std::string_view name, T& field) {
    Read(name, field, false);
  }
  template <typename T>
  void Always(std::string_view name, T& field) {
    Read(name, field, false);
  }
  template <typename T>
  void Required(std::string_view name, T& field) {
    Read(name, field, true);
  }

 private:
  template <typename T>
  void Read(std::string_view name, T& field, bool is_required) {
    if (error_) return;
    Result<std::optional<JsonCursor>> found = object_.Find(name);
    if (!found.ok()) return Fail(std::move(found).error());
    if (found.value()) return Value(*found.value(), field);
    if (is_required) Fail(object_.Get(name).error());
  }
  void Fail(Error error) { error_ = std::move(error); }

  template <typename T, typename Wide>
  void Assign(Result<Wide> wide, T& field) {
    if (!wide.ok()) return Fail(std::move(wide).error());
    field = static_cast<T>(std::move(wide).value());
  }
  void Value(const JsonCursor& at, std::string& field) { Assign(at.String(), field); }
  void Value(const JsonCursor& at, bool& field) { Assign(at.Boolean(), field); }
  void Value(const JsonCursor& at, int& field) { Assign(at.Integer(INT32_MIN, INT32_MAX), field); }
  void Value(const JsonCursor& at, int64_t& field) { Assign(at.Integer(), field); }
  void Value(const JsonCursor& at, uint64_t& field) { Assign(at.Integer(0), field); }
  template <NamedEnum T>
  void Value(const JsonCursor& at, T& field) {
    Result<std::string> text = at.String();
    if (!text.ok()) return Fail(std::move(text).error());
    std::optional<T> value = ValueIn(NamesOf(T{}), text.value());
    if (!value) return Fail(at.Invalid("unknown value \"" + text.value() + "\""));
    field = *value;
  }
  template <typename T>
  void Value(const JsonCursor& at, std::optional<T>& field) {
    Value(at, field.emplace());
  }
  template <typename T>
  void Value(const JsonCursor& at, std::vector<T>& field) {
    Result<std::vector<JsonCursor>> elements = at.Elements();
    if (!elements.ok()) return Fail(std::move(elements).error());
    for (const JsonCursor& element : elements.value()) {
      if (error_) return;
      Value(element, field.emplace_back());
    }
  }
  template <typename T>
  requires requires(MemberReader& io, T& v) { Members(io, v); }
  void Value(const JsonCursor& at, T& field) {
    MemberReader inner(at, error_);
    Members(inner, field);
  }

  JsonCursor object_;
  std::optional<Error>& error_;
};

// One struct, alone.
template <typename T>
std::string EncodeMembers(const T& value) {
  std::string text;
  MemberWriter writer(text);
  Members(writer, const_cast<T&>(value));  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  writer.Close();
  return text;
}

template <typename T>
Result<> DecodeMembers(const JsonCursor& object, T& value) {
  std::optional<Error> error;
  MemberReader reader(object, error);
  Members(reader, value);
  if (error) return std::move(*error);
  return {};
}

}  // namespace skiff::runtime
