// A container's terminal on the caller's own, and the signals passed on: what a foreground `run` or
// `exec` does until its process ends. One thread.
#pragma once

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"
#include "isolation/oci/notify.h"
#include "isolation/sys/process.h"

namespace skiff::isolation::oci {

// Blocks the signals that Attend passes on; before the launch, so that none falls between.
Result<UniqueFd> HoldSignals();

// Until the process ends: passes signals on and, with a terminal (`master` >= 0, borrowed), copies
// both ways with the caller's terminal in raw mode, and its window size. Reaps the process.
// `relay`, which may be null, is served until the container is ready.
Result<int> Attend(const sys::Process& process, int signals, int master,
                   const NotifyRelay* relay = nullptr);

}  // namespace skiff::isolation::oci
