// Files as block devices. Any thread.
#pragma once

#include <string>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"

namespace skiff::sys {

struct LoopDevice {
  UniqueFd fd;       // the device lives as long as this, or a mount of it
  std::string path;  // "/dev/loop3"
};

// `file` is borrowed, and is written through the page cache of its own file system.
Result<LoopDevice> AttachLoop(int file);

// A read-only device over `file` (borrowed): one that is there already, whoever attached it, or a
// new one. What is mounted of the same devices is one mount to the kernel, and shares its page
// cache. The file is read past its own page cache where its file system can.
Result<LoopDevice> ShareLoop(int file);

}  // namespace skiff::sys
