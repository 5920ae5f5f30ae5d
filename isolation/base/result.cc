#include "isolation/base/result.h"

#include <cerrno>
#include <cstring>

namespace skiff {

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kInvalid:
      return "invalid";
    case Code::kNotFound:
      return "not found";
    case Code::kConflict:
      return "conflict";
    case Code::kDenied:
      return "denied";
    case Code::kExhausted:
      return "exhausted";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kTimeout:
      return "timeout";
    case Code::kInternal:
      return "internal";
  }
  return "internal";
}

Code CodeOfErrno(int error_number) {
  switch (error_number) {
    case EINVAL:
    case ENAMETOOLONG:
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
    case ERANGE:
    case E2BIG:
    case ENOEXEC:
      return Code::kInvalid;
    case ENOENT:
    case ESRCH:
    case ENODEV:
    case ENXIO:
      return Code::kNotFound;
    case EEXIST:
    case EBUSY:
    case ENOTEMPTY:
    case EADDRINUSE:
    case EXDEV:
    case ETXTBSY:
      return Code::kConflict;
    case EPERM:
    case EACCES:
    case EROFS:
      return Code::kDenied;
    case ENOSPC:
    case ENOMEM:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case EMLINK:
    case EFBIG:
    case ENOBUFS:
      return Code::kExhausted;
    case ENOSYS:
    case EOPNOTSUPP:
    case EAGAIN:
    case ECONNREFUSED:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EPFNOSUPPORT:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
      return Code::kUnavailable;
    case ETIMEDOUT:
      return Code::kTimeout;
    default:
      return Code::kInternal;
  }
}

namespace {
std::string DescribeErrno(int error_number) {
  std::string text = strerror(error_number);
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z' &&
      !(text.size() > 1 && text[1] >= 'A' && text[1] <= 'Z')) {
    text[0] = static_cast<char>(text[0] - 'A' + 'a');
  }
  return text;
}
}  // namespace

Error Error::FromErrno(int error_number, std::string_view what) {
  std::string message(what);
  message.append(": ").append(DescribeErrno(error_number));
  Error error(CodeOfErrno(error_number), std::move(message));
  error.errno_ = error_number;
  return error;
}

Error Error::Context(std::string_view what) && {
  std::string message(what);
  message.append(": ").append(message_);
  message_ = std::move(message);
  return std::move(*this);
}

}  // namespace skiff
