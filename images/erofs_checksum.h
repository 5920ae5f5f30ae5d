// The checksum of an EROFS superblock. Private to images/.
#pragma once

#include <cstdint>
#include <string>

namespace skiff::images {

// Of the superblock's block, from the superblock on, with the checksum's own bytes zero: CRC-32C
// from ~0 on, not inverted at the end.
uint32_t ErofsChecksum(const std::string& block);

}  // namespace skiff::images
