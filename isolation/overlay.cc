#include "isolation/overlay.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "isolation/base/scope_exit.h"
#include "isolation/limits.h"
#include "isolation/sys/file.h"
#include "isolation/sys/mount.h"

namespace skiff::isolation {
namespace {

Result<UniqueFd> OpenPlace(const std::string& directory) {
  return sys::Open(AT_FDCWD, directory, O_PATH | O_DIRECTORY);
}

}  // namespace

// fsconfig(2) takes values of at most 255 bytes, far too few for the paths of an image's layers,
// and one parameter per layer ("lowerdir+") needs Linux 6.5. So every directory is named by
// descriptor number, relative to /proc/self/fd.
Result<UniqueFd> MountOverlay(const OverlaySpec& spec) {
  if (spec.layers.empty() || spec.layers.size() > kMaxOverlayLayers) {
    return Error(Code::kInvalid, "an image of " + std::to_string(spec.layers.size()) +
                                     " layers: between 1 and " + std::to_string(kMaxOverlayLayers) +
                                     " can be mounted");
  }
  std::vector<UniqueFd> places;
  std::string lower;
  // overlayfs takes the leftmost lowerdir as the highest, an image lists its base first.
  for (auto layer = spec.layers.rbegin(); layer != spec.layers.rend(); ++layer) {
    UniqueFd place = TRY(OpenPlace(*layer));
    lower += (lower.empty() ? "" : ":") + std::to_string(place.get());
    places.push_back(std::move(place));
  }
  UniqueFd upper = TRY(OpenPlace(spec.upper));
  UniqueFd work = TRY(OpenPlace(spec.work));
  UniqueFd old_directory = TRY(OpenPlace("."));
  if (chdir("/proc/self/fd") != 0) return Error::FromErrno(errno, "chdir /proc/self/fd");
  ScopeExit go_back([&] {
    if (fchdir(old_directory.get()) != 0) abort();  // every relative path would mean something else
  });
  sys::FilesystemContext context = TRY(sys::FilesystemContext::Open("overlay"));
  TRY(context.SetString("source", "skiff"));
  TRY(context.SetString("lowerdir", lower));
  TRY(context.SetString("upperdir", std::to_string(upper.get())));
  TRY(context.SetString("workdir", std::to_string(work.get())));
  TRY(context.SetFlag("volatile"));
  TRY(context.Create());
  return context.Mount(0);
}

}  // namespace skiff::isolation
