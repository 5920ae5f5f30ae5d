// Writes the EROFS image of a layer: what its files are, with their content left in the tar
// (erofs_format.h). The same tar gives the same image. Private to images/. One thread.
#pragma once

#include <cstdint>

#include "images/erofs_tree.h"
#include "isolation/base/result.h"

namespace skiff::images {

// Completes the image of `tree`. `tar` (borrowed) is the whole uncompressed tar, of `tar_size`
// bytes. Answers the image's size in bytes. After an error the image is no image.
Result<uint64_t> WriteErofs(ErofsTree* tree, int tar, uint64_t tar_size);

}  // namespace skiff::images
