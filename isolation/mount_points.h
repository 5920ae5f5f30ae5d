// The places in a read-only root where something is to be mounted that the image has not: made in a
// directory of their own, which becomes a layer above the image's. Any thread.
#pragma once

#include <string>
#include <vector>

#include "isolation/base/result.h"

namespace skiff::isolation {

struct MountPoint {
  std::string path;  // in the container
  bool is_file = false;
};

// Those of `points` that are missing in `root` (a directory's descriptor), with their parents, in
// the directory `layer`, which is made when there is one. Parents look as they do in the root, what
// is new belongs to `owner` and its group. A point in or at another one before it is that one's
// affair. False: nothing is missing, and nothing was made.
Result<bool> MakeMountPoints(int root, const std::vector<MountPoint>& points,
                             const std::string& layer, uint32_t owner);

// An empty layer that changes nothing: its directory looks as the root does.
Result<> MakeEmptyLayer(int root, const std::string& layer);

}  // namespace skiff::isolation
