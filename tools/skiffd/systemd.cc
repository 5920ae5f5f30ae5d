#include "tools/skiffd/systemd.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "isolation/base/text.h"
#include "tools/skiffd/limits.h"

namespace skiff::tools {

Result<> NotifySystemd(const std::string& state) {
  const char* path = getenv("NOTIFY_SOCKET");
  if (path == nullptr || *path == '\0') return {};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  size_t length = strlen(path);
  if (length >= sizeof(address.sun_path)) {
    return Error(Code::kInvalid, "NOTIFY_SOCKET: the path is too long");
  }
  memcpy(address.sun_path, path, length);
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';  // an abstract name
  UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return Error::FromErrno(errno, "NOTIFY_SOCKET");
  auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  ssize_t sent = sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL,
                        reinterpret_cast<const sockaddr*>(&address), size);
  if (sent < 0) return Error::FromErrno(errno, "NOTIFY_SOCKET");
  return {};
}

Result<std::vector<UniqueFd>> TakeInheritedSockets() {
  std::vector<UniqueFd> sockets;
  const char* pid = getenv("LISTEN_PID");
  const char* count = getenv("LISTEN_FDS");
  if (pid == nullptr || count == nullptr || ParseUint(pid) != static_cast<uint64_t>(getpid())) {
    return sockets;
  }
  std::optional<uint64_t> number = ParseUint(count, kMaxListeners);
  if (!number) return Error(Code::kInvalid, "LISTEN_FDS: '" + std::string(count) + "'");
  for (int fd = kFirstInheritedDescriptor;
       fd < kFirstInheritedDescriptor + static_cast<int>(*number); ++fd) {
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return Error::FromErrno(errno, "LISTEN_FDS");
    sockets.emplace_back(fd);
  }
  unsetenv("LISTEN_PID");
  unsetenv("LISTEN_FDS");
  unsetenv("LISTEN_FDNAMES");
  return sockets;
}

}  // namespace skiff::tools
