// Unpacks a layer in a process of its own: skiff-unpack, which sees the layer's directory, the
// layers beneath read-only, and nothing else of the host (isolation/sandbox.h). Whatever a hostile
// layer makes of the code that reads it stays there. Private to images/.
#pragma once

#include <string>
#include <vector>

#include "images/byte_source.h"
#include "images/layer_pass.h"
#include "isolation/base/result.h"

namespace skiff::images {

// Feeds `file` to the process, to its end. The program is the one beside this one. The process is
// gone when this returns. Any thread; `file` is read on the calling one.
Result<PlainLayer> UnpackConfined(ByteSource* file, const LayerPlace& place);

}  // namespace skiff::images
