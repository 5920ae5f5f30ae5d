// A layer as a file again, byte for byte as a manifest names it. Private to images/. One thread.
#pragma once

#include <cstdint>
#include <memory>

#include "images/byte_source.h"
#include "images/digest.h"
#include "images/image_record.h"
#include "images/store_files.h"
#include "isolation/base/result.h"

namespace skiff::images {

// `wanted`: the digest of the layer's file, or the layer's diff id for the tar inside. The digest
// is the reader's to verify. kNotFound when the file was not kept.
Result<std::unique_ptr<ByteSource>> OpenLayerBlob(const StoreFiles& files, const LayerRecord& layer,
                                                  const Digest& wanted);
// Bytes of what OpenLayerBlob gives; for a tar out of a compressed file this inflates it.
Result<uint64_t> LayerBlobSize(const StoreFiles& files, const LayerRecord& layer,
                               const Digest& wanted);

}  // namespace skiff::images
