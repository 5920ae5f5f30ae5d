// A container's root file system: an overlay of read-only layers, under one writable directory
// unless it is read-only itself, mounted detached, so that nothing is ever attached in the host's
// mount namespace and a failed start leaves no mount.
#pragma once

#include <string>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"

namespace skiff::isolation {

struct OverlaySpec {
  // Absolute directories of files, or of an image (isolation/erofs.h), base first;
  // 1..kMaxOverlayLayers.
  std::vector<std::string> layers;
  std::string upper;         // writable directory, must exist; "": the mount is read-only
  std::string work;          // empty directory on the same file system, must exist
  int user_namespace = -1;   // borrowed: the layers' files appear under its ids
  std::string attach_point;  // an existing directory, see below
  std::string top;           // a read-only layer above the others whose ids are right as they
                             // are; "": none
};

// Changes the working directory for the time of the call: single-threaded callers. `upper` gets the
// owner and mode of the uppermost layer's root, which is how the root will look.
// The mount is `volatile` (no sync when it goes): the writable layer lives no longer than the task.
//
// With a user namespace neither layers nor their owners are copied or changed: each layer is shown
// through an id-mapped mount. Kernels that take only attached mounts as layers (before 6.15) have
// those, and mounted images, attached for a moment at `attach_point`, in a mount namespace that the
// calling process then enters for good.
//
// Read-only it has neither upper directory nor work directory. A single layer without `top` is not
// an overlay then but the layer itself, mounted read-only, with overlayfs's own marks in sight: to
// look things up in, not for a container.
Result<UniqueFd> MountOverlay(const OverlaySpec& spec);

}  // namespace skiff::isolation
