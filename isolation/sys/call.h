// How isolation/sys makes a call: failpoint first, interrupted calls again, errno into an Error
// that names the call and its object ("mkdir /run/skiff/tasks: permission denied"). Private to
// isolation/sys and to the netlink socket of networking.
#pragma once

#include <cerrno>
#include <string>
#include <string_view>

#include "isolation/base/result.h"
#include "isolation/sys/failpoint.h"

namespace skiff::sys {

template <typename Function>
auto Call(const char* name, std::string_view object, Function function)
    -> Result<decltype(function())> {
  int error_number = failpoint::Hit(name);
  if (error_number == 0) {
    decltype(function()) value;
    do {
      value = function();
    } while (value == -1 && errno == EINTR);
    if (value != -1) return value;
    error_number = errno;
  }
  std::string what = name;
  if (!object.empty()) what.append(" ").append(object);
  return Error::FromErrno(error_number, what);
}

// For calls whose value says nothing but success.
template <typename Function>
Result<> CallVoid(const char* name, std::string_view object, Function function) {
  auto result = Call(name, object, function);
  if (!result.ok()) return std::move(result).error();
  return {};
}

}  // namespace skiff::sys
