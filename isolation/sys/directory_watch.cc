#include "isolation/sys/directory_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <string>

#include "isolation/sys/call.h"

namespace skiff::sys {

Result<DirectoryWatch> DirectoryWatch::Open(int directory) {
  int fd = TRY(Call("inotify_init1", "", [] { return inotify_init1(IN_CLOEXEC | IN_NONBLOCK); }));
  DirectoryWatch made{UniqueFd(fd)};
  TRY(made.Add(directory));
  return made;
}

Result<> DirectoryWatch::Add(int directory) {
  std::string path = "/proc/self/fd/" + std::to_string(directory);
  constexpr uint32_t kEvents = IN_MODIFY | IN_CREATE | IN_DELETE | IN_CLOSE_WRITE | IN_DELETE_SELF;
  TRY(Call("inotify_add_watch", path,
           [&] { return inotify_add_watch(fd_.get(), path.c_str(), kEvents); }));
  return {};
}

Result<> DirectoryWatch::Clear() {
  char events[4096];
  for (;;) {
    auto count = Call("read", "inotify", [&] { return read(fd_.get(), events, sizeof(events)); });
    if (count.ok()) continue;
    if (count.error().sys_errno() == EAGAIN) return {};
    return std::move(count).error();
  }
}

}  // namespace skiff::sys
