#include "images/erofs_checksum.h"

#include "images/checksum.h"

namespace skiff::images {

uint32_t ErofsChecksum(const std::string& block) { return Crc32c(block, ~uint32_t{0}); }

}  // namespace skiff::images
