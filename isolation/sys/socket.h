// Unix stream sockets by path. A path longer than sun_path's 107 bytes works: it is reached through
// a descriptor of its directory (/proc/self/fd/N/NAME), so state roots may be anywhere.
#pragma once

#include <string>
#include <string_view>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"

namespace skiff::sys {

// Binds and listens, mode 0600, close-on-exec, non-blocking. A socket file left there by a dead
// process is replaced.
Result<UniqueFd> ListenUnix(const std::string& path, int backlog);
Result<UniqueFd> ConnectUnix(const std::string& path);

// A datagram socket that everybody may write to. One left there by a dead process is replaced.
Result<UniqueFd> ListenDatagrams(const std::string& path);
Result<> SendDatagram(const std::string& path, std::string_view bytes);

// Two connected streams, close-on-exec.
struct SocketPair {
  UniqueFd ours;
  UniqueFd theirs;
};
Result<SocketPair> MakeSocketPair();
// One descriptor that the other side sent beside its bytes (SCM_RIGHTS).
Result<UniqueFd> ReceiveDescriptor(int fd);
// The bytes, in one piece, and beside them a descriptor (borrowed).
Result<> SendDescriptor(int fd, std::string_view bytes, int descriptor);
// All of it, without SIGPIPE when nobody reads any more: that is EPIPE.
Result<> SendAll(int fd, std::string_view data);

}  // namespace skiff::sys
