#include "isolation/sys/loop.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>

#include "isolation/sys/call.h"
#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"

namespace skiff::sys {
namespace {

constexpr int kAttempts = 64;  // others may take the free number first
constexpr char kDevices[] = "/sys/block";

Result<LoopDevice> Attach(int file, uint32_t flags) {
  UniqueFd control = TRY(Open(AT_FDCWD, "/dev/loop-control", O_RDWR));
  struct loop_config config {};
  config.fd = static_cast<__u32>(file);
  config.info.lo_flags = LO_FLAGS_AUTOCLEAR | flags;
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

// What a device is over is known once it is open, for until then it may go and come back as
// another's.
Result<bool> IsOver(int device, const struct stat& file) {
  struct loop_info64 info {};
  TRY(CallVoid("LOOP_GET_STATUS64", "", [&] { return ioctl(device, LOOP_GET_STATUS64, &info); }));
  constexpr uint32_t kFlags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR;
  return info.lo_inode == file.st_ino && info.lo_device == file.st_dev && info.lo_offset == 0 &&
         info.lo_sizelimit == 0 && (info.lo_flags & kFlags) == kFlags;
}

Result<LoopDevice> FindLoop(int file) {
  struct stat info = TRY(StatFd(file));
  std::string path = TRY(ReadLink(AT_FDCWD, "/proc/self/fd/" + std::to_string(file)));
  std::vector<std::string> names = TRY(ListDirectory(AT_FDCWD, kDevices));
  for (const std::string& name : names) {
    if (!name.starts_with("loop")) continue;
    std::string over = std::string(kDevices) + "/" + name + "/loop/backing_file";
    Result<std::string> backing = ReadFile(AT_FDCWD, over);
    // sysfs ends it with a line's end.
    if (!backing.ok() || backing.value() != path + "\n") continue;
    LoopDevice device;
    device.path = "/dev/" + name;
    Result<UniqueFd> opened = Open(AT_FDCWD, device.path, O_RDONLY);
    if (!opened.ok()) continue;
    device.fd = std::move(opened).value();
    if (IsOver(device.fd.get(), info).ValueOr(false)) return device;
  }
  return Error(Code::kNotFound, "no loop device over " + path);
}

}  // namespace

Result<LoopDevice> AttachLoop(int file) { return Attach(file, 0); }

Result<LoopDevice> ShareLoop(int file) {
  Result<LoopDevice> shared = FindLoop(file);
  return shared.ok() ? std::move(shared) : Attach(file, LO_FLAGS_READ_ONLY | LO_FLAGS_DIRECT_IO);
}

}  // namespace skiff::sys
