// A container's terminal, between clone and exec: system calls only. Private to launch_child.cc.
#pragma once

#include "isolation/launch_child.h"
#include "isolation/launch_root.h"

namespace skiff::isolation {

// The container's side of a new terminal of its own devpts, and in `master` the other. -1 with
// errno set.
int OpenTerminal(const LaunchRoot& root, const ChildPlan& plan, int* master);

// Sends the descriptor `master` over `socket`; false with errno set.
bool SendTerminal(int socket, int master);

}  // namespace skiff::isolation
