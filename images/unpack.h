// Applies one layer's tar to a tree that overlayfs can stack: whiteouts become character
// devices 0:0, opaque marks become trusted.overlay.opaque, everything else becomes itself, with
// owner, mode, times to the nanosecond and extended attributes. Needs root.
//
// Every name is resolved as if the directory were the root: symlinks among its parents lead
// nowhere else, absolute names are relative, and names that climb out by ".." are refused. What the
// tar leaves out gets fixed values, so that one tar always makes one tree: directories without an
// entry are 0755, owned by root, of 1970. The last of several entries of one name wins.
//
// A layer may rely on those beneath it: a hard link to a file of theirs (copied up), a directory
// that only they describe (owner and mode are taken over), an opaque root. The result says so,
// because such a tree cannot be shared by images with other layers beneath. One thread; the
// process's umask is 0 meanwhile.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "images/byte_source.h"
#include "images/layer_files.h"
#include "images/layer_sink.h"
#include "images/layer_tree.h"
#include "isolation/base/result.h"

namespace skiff::images {

struct UnpackedLayer {
  uint64_t entries = 0;
  uint64_t size = 0;            // bytes of the files' content
  uint64_t refused_xattrs = 0;  // that the file system of the store does not take
  bool relies_on_lower = false;
};

// Reads `tar` (not compressed) to its end. `sink` is empty; `lower` opens the layers beneath.
// `sums`, when there, is told of every file that was written. After an error the sink holds a part.
Result<UnpackedLayer> UnpackLayer(ByteSource* tar, LayerSink* sink, LowerOpener lower,
                                  ContentSums* sums = nullptr);
// Into an empty directory, above layers that are directories.
Result<UnpackedLayer> UnpackLayer(ByteSource* tar, int directory,
                                  const std::vector<std::string>& lower);

}  // namespace skiff::images
