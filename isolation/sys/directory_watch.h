// Tells when something in a directory changed: a file written to, made, closed by its writer or
// removed (inotify(7)). What changed is not told: look again. Owns its descriptor; one thread.
#pragma once

#include <utility>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"

namespace skiff::sys {

class DirectoryWatch {
 public:
  // `directory` is borrowed for the call. Needs /proc.
  static Result<DirectoryWatch> Open(int directory);

  // One more directory under the same descriptor. Adding one twice is fine.
  Result<> Add(int directory);

  int fd() const { return fd_.get(); }  // readable when something changed since the last Clear
  Result<> Clear();                     // before looking, so that no change falls between

 private:
  explicit DirectoryWatch(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace skiff::sys
