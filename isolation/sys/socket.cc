#include "isolation/sys/socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>

#include "isolation/sys/call.h"
#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"

namespace skiff::sys {
namespace {

// The directory's descriptor keeps /proc/self/fd/N/NAME valid while the call runs.
struct Address {
  UniqueFd directory;
  sockaddr_un name{};
};

Result<Address> MakeAddress(const std::string& path) {
  size_t slash = path.rfind('/');
  std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  std::string base = slash == std::string::npos ? path : path.substr(slash + 1);
  Address address;
  address.directory = TRY(Open(AT_FDCWD, parent, O_PATH | O_DIRECTORY));
  std::string reached = "/proc/self/fd/" + std::to_string(address.directory.get()) + "/" + base;
  if (reached.size() >= sizeof(address.name.sun_path)) {
    return Error(Code::kInvalid, "socket " + path + ": its file name is too long");
  }
  address.name.sun_family = AF_UNIX;
  memcpy(address.name.sun_path, reached.c_str(), reached.size() + 1);
  return address;
}

}  // namespace

Result<UniqueFd> ListenUnix(const std::string& path, int backlog) {
  Address address = TRY(MakeAddress(path));
  Result<> removed = Unlink(AT_FDCWD, path);
  if (!removed.ok() && removed.error().code() != Code::kNotFound) return std::move(removed).error();
  int raw = TRY(Call("socket", path, [] {
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  }));
  UniqueFd fd(raw);
  const auto* name = reinterpret_cast<const sockaddr*>(&address.name);
  TRY(CallVoid("fchmod", path,
               [&] { return fchmod(fd.get(), 0600); }));  // the mode bind(2) gives the file
  TRY(CallVoid("bind", path, [&] { return bind(fd.get(), name, sizeof(address.name)); }));
  TRY(CallVoid("listen", path, [&] { return listen(fd.get(), backlog); }));
  return fd;
}

Result<UniqueFd> ListenDatagrams(const std::string& path) {
  Address address = TRY(MakeAddress(path));
  Result<> removed = Unlink(AT_FDCWD, path);
  if (!removed.ok() && removed.error().code() != Code::kNotFound) return std::move(removed).error();
  int raw = TRY(Call("socket", path, [] { return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0); }));
  UniqueFd fd(raw);
  const auto* name = reinterpret_cast<const sockaddr*>(&address.name);
  TRY(CallVoid("bind", path, [&] { return bind(fd.get(), name, sizeof(address.name)); }));
  // bind(2) takes the umask away.
  TRY(Chmod(AT_FDCWD, path, 0777));
  return fd;
}

Result<> SendDatagram(const std::string& path, std::string_view bytes) {
  Address address = TRY(MakeAddress(path));
  int raw = TRY(Call("socket", path, [] { return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0); }));
  UniqueFd fd(raw);
  const auto* name = reinterpret_cast<const sockaddr*>(&address.name);
  TRY(Call("sendto", path, [&] {
    return sendto(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL, name, sizeof(address.name));
  }));
  return {};
}

Result<UniqueFd> ConnectUnix(const std::string& path) {
  Address address = TRY(MakeAddress(path));
  int raw =
      TRY(Call("socket", path, [] { return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); }));
  UniqueFd fd(raw);
  const auto* name = reinterpret_cast<const sockaddr*>(&address.name);
  TRY(CallVoid("connect", path, [&] { return connect(fd.get(), name, sizeof(address.name)); }));
  return fd;
}

Result<SocketPair> MakeSocketPair() {
  int fds[2];
  TRY(CallVoid("socketpair", "",
               [&] { return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds); }));
  return SocketPair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Result<UniqueFd> ReceiveDescriptor(int fd) {
  char bytes[256];
  iovec data{.iov_base = bytes, .iov_len = sizeof(bytes)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  TRY(Call("recvmsg", "", [&] { return recvmsg(fd, &message, MSG_CMSG_CLOEXEC); }));
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  bool is_descriptor = header != nullptr && header->cmsg_level == SOL_SOCKET &&
                       header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof(int));
  if (!is_descriptor) return Error(Code::kInvalid, "recvmsg: no descriptor was sent");
  int received = -1;
  memcpy(&received, CMSG_DATA(header), sizeof(int));
  return UniqueFd(received);
}

Result<> SendDescriptor(int fd, std::string_view bytes, int descriptor) {
  std::string text(bytes);
  iovec data{.iov_base = text.data(), .iov_len = text.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
  ssize_t sent = TRY(Call("sendmsg", "", [&] { return sendmsg(fd, &message, MSG_NOSIGNAL); }));
  // The descriptor went with the first byte; a stream may take the rest in pieces.
  return SendAll(fd, bytes.substr(static_cast<size_t>(sent)));
}

Result<> SendAll(int fd, std::string_view data) {
  while (!data.empty()) {
    ssize_t count =
        TRY(Call("send", "", [&] { return send(fd, data.data(), data.size(), MSG_NOSIGNAL); }));
    data.remove_prefix(static_cast<size_t>(count));
  }
  return {};
}

}  // namespace skiff::sys
