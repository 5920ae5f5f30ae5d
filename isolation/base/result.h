// Errors are values: Result<T> holds what was made, or an Error saying what went wrong with which
// object.
//
// An Error carries a Code (what a caller can act on; the API, the exit status and the stop reason
// derive from it), the errno if a system call failed, and a message that reads from outside to
// inside, in lower case, without a full stop:
//   start task 3f2a: container web: mount overlay on web: operation not permitted
// A Result is returned or its error is logged, never both. Any thread; a Result has one owner.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace skiff {

enum class Code {
  kInvalid,      // the caller's input is wrong
  kNotFound,     // the named object does not exist
  kConflict,     // the object exists, is in use, or is in a state that forbids this
  kDenied,       // not permitted
  kExhausted,    // no space, memory, address, or a limit was reached
  kUnavailable,  // this host or kernel cannot do it (now)
  kTimeout,
  kInternal,  // our mistake, or an error nothing above describes
};

// "invalid", "not found", ...: for logs and JSON.
std::string_view CodeName(Code code);

// The one place where errno becomes a Code.
Code CodeOfErrno(int error_number);

class [[nodiscard]] Error {
 public:
  Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}
  // A system call that set `error_number`; the message becomes "<what>: <strerror>".
  static Error FromErrno(int error_number, std::string_view what);

  // Puts "<what>: " in front: what the caller was doing, and with which object.
  Error Context(std::string_view what) &&;
  // Names the error more finely than its code, for a protocol that has a name for it
  // ("ClusterNotFoundException"). `kind` must live as long as the program.
  Error WithKind(const char* kind) && {
    kind_ = kind;
    return std::move(*this);
  }

  Code code() const { return code_; }
  int sys_errno() const { return errno_; }  // 0 when no system call was involved
  const std::string& message() const { return message_; }
  const char* kind() const { return kind_; }  // "" unless WithKind was called

 private:
  Code code_;
  int errno_ = 0;
  const char* kind_ = "";
  std::string message_;
};

template <typename T = void>
class [[nodiscard]] Result {
 public:
  using Value = T;
  Result(T value) : value_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return value_.has_value(); }
  T& value() & { return assert(ok()), *value_; }
  const T& value() const& { return assert(ok()), *value_; }
  // By value: a range-for over a temporary Result's value must not dangle.
  T value() && { return assert(ok()), std::move(*value_); }
  const Error& error() const& { return assert(!ok()), *error_; }
  Error&& error() && { return assert(!ok()), std::move(*error_); }

  Result Context(std::string_view what) && {
    if (!ok()) error_ = std::move(*error_).Context(what);
    return std::move(*this);
  }
  T ValueOr(T fallback) && { return ok() ? std::move(*value_) : std::move(fallback); }

 private:
  std::optional<T> value_;
  std::optional<Error> error_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using Value = void;
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return !error_.has_value(); }
  void value() const { assert(ok()); }
  const Error& error() const& { return assert(!ok()), *error_; }
  Error&& error() && { return assert(!ok()), std::move(*error_); }

  Result Context(std::string_view what) && {
    if (!ok()) error_ = std::move(*error_).Context(what);
    return std::move(*this);
  }
  // For teardown, where each step runs whatever the others did: says that the error is dropped on
  // purpose.
  void Ignore() const {}

 private:
  std::optional<Error> error_;
};

}  // namespace skiff

// TRY(expression) yields the value of a Result, or returns its error from the enclosing function.
// It stands alone as a statement or is the whole right-hand side of one. Never inside braces or
// arguments: g++ 12 and clang 14 leak what was already built there when TRY returns. tests/rules
// checks it.
#define TRY(...)                                                  \
  ({                                                              \
    auto try_result_ = (__VA_ARGS__);                             \
    if (!try_result_.ok()) return std::move(try_result_).error(); \
    std::move(try_result_).value();                               \
  })
