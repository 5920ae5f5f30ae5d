// What a service that systemd starts says and gets: its state, and sockets that listen already.
// Without systemd there is nothing to say and nothing to get. One thread, at start and end.
#pragma once

#include <string>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"

namespace skiff::tools {

// "READY=1", "STOPPING=1": one datagram to NOTIFY_SOCKET. Without the variable: nothing.
Result<> NotifySystemd(const std::string& state);

// LISTEN_FDS of LISTEN_PID; the variables are taken out of the environment, for they are nobody
// else's. kInvalid when they make no sense.
Result<std::vector<UniqueFd>> TakeInheritedSockets();

}  // namespace skiff::tools
