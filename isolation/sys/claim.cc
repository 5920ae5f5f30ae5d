#include "isolation/sys/claim.h"

#include <fcntl.h>

#include "isolation/sys/call.h"

namespace skiff::sys {
namespace {

struct flock WholeFile(short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

}  // namespace

Result<bool> TryClaim(int fd) {
  struct flock lock = WholeFile(F_WRLCK);
  auto result = CallVoid("fcntl", "F_OFD_SETLK", [&] { return fcntl(fd, F_OFD_SETLK, &lock); });
  if (result.ok()) return true;
  int error_number = result.error().sys_errno();
  if (error_number == EAGAIN || error_number == EACCES) return false;
  return std::move(result).error();
}

Result<bool> IsClaimed(int fd) {
  struct flock lock = WholeFile(F_RDLCK);
  TRY(CallVoid("fcntl", "F_OFD_GETLK", [&] { return fcntl(fd, F_OFD_GETLK, &lock); }));
  return lock.l_type != F_UNLCK;
}

}  // namespace skiff::sys
