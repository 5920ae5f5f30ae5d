// Cyclic redundancy checks: by ISA-L, or by tables where that is not built in (SKIFF_ISAL). Private
// to images/. Any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace skiff::images {

// CRC-32C (RFC 3720), reflected, without the inversions at either end.
uint32_t Crc32c(std::string_view bytes, uint32_t before);
// CRC-64/XZ of what came before and `bytes`; begins with 0.
uint64_t Crc64(std::string_view bytes, uint64_t before);

// The same by tables, always there.
uint32_t Crc32cByTable(std::string_view bytes, uint32_t before);
uint64_t Crc64ByTable(std::string_view bytes, uint64_t before);

}  // namespace skiff::images
