#include "isolation/sys/loop.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>

#include "isolation/sys/call.h"
#include "isolation/sys/file.h"

namespace skiff::sys {
namespace {

constexpr int kAttempts = 64;  // others may take the free number first

}  // namespace

Result<LoopDevice> AttachLoop(int file) {
  UniqueFd control = TRY(Open(AT_FDCWD, "/dev/loop-control", O_RDWR));
  struct loop_config config {};
  config.fd = static_cast<__u32>(file);
  config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
  for (int attempt = 1;; ++attempt) {
    int number =
        TRY(Call("LOOP_CTL_GET_FREE", "", [&] { return ioctl(control.get(), LOOP_CTL_GET_FREE); }));
    LoopDevice device;
    device.path = "/dev/loop" + std::to_string(number);
    device.fd = TRY(Open(AT_FDCWD, device.path, O_RDWR));
    Result<> configured = CallVoid("LOOP_CONFIGURE", device.path,
                                   [&] { return ioctl(device.fd.get(), LOOP_CONFIGURE, &config); });
    if (configured.ok()) return device;
    bool is_taken = configured.error().sys_errno() == EBUSY;
    if (!is_taken || attempt == kAttempts) return std::move(configured).error();
  }
}

}  // namespace skiff::sys
