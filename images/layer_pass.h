// One pass over a layer as a registry or an archive has it: digest of the file | inflate | diff id
// | tar | files. The file's bytes are read and hashed here; everything that interprets them runs in
// the confined process of unpack_process.h.
#pragma once

#include <string>
#include <vector>

#include "images/byte_source.h"
#include "images/decompress.h"
#include "images/digest.h"
#include "images/layer_kind.h"
#include "images/limits.h"
#include "images/unpack.h"
#include "isolation/base/bytes.h"
#include "isolation/base/result.h"

namespace skiff::images {

// What the inside of a layer's file turned out to be.
struct PlainLayer {
  Digest diff_id;
  uint64_t plain_size = 0;
  Compression compression = Compression::kNone;
  UnpackedLayer unpacked;
};

// What one pass over a layer's file found out.
struct LayerPass {
  Digest blob;
  PlainLayer plain;
};

// Where a layer belongs: absolute paths, whose names say of which kind each is (layer_kind.h).
// `directory` is there and empty; the layers beneath, base first, are there, and complete once
// `lower_ready` (a pipe's read end, borrowed) has a byte. When it ends without one, who needs them
// gives up. The list of its files (layer_files.h) is written to `list` (borrowed).
struct LayerPlace {
  std::string directory;
  std::vector<std::string> lower;
  int lower_ready = -1;
  int list = -1;
  Bytes most = kMaxLayer;  // of the tar inside
};

// `file` is read to its end.
Result<LayerPass> ReadLayer(ByteSource* file, const LayerPlace& place);

// The same from inside of the confined process.
struct PlainPlace {
  int directory = -1;  // borrowed
  LayerKind kind = LayerKind::kUnpacked;
  LowerOpener lower;
  Bytes most = kMaxLayer;  // of the tar inside
};

// The part of it that interprets: inflates `file`, hashes what comes out, unpacks it or keeps it
// with an image of what is in it, and lists the files that this made.
Result<PlainLayer> ReadPlainLayer(ByteSource* file, const PlainPlace& place, int list);

}  // namespace skiff::images
