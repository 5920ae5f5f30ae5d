#include <isa-l/crc.h>
#include <isa-l/crc64.h>

#include <algorithm>
#include <cstddef>

#include "images/checksum.h"

namespace skiff::images {

uint32_t Crc32c(std::string_view bytes, uint32_t before) {
  constexpr size_t kMost = 1 << 30;
  while (!bytes.empty()) {
    std::string_view piece = bytes.substr(0, kMost);
    // ISA-L only reads what it is given.
    before = crc32_iscsi(reinterpret_cast<unsigned char*>(const_cast<char*>(piece.data())),
                         static_cast<int>(piece.size()), before);
    bytes.remove_prefix(piece.size());
  }
  return before;
}

uint64_t Crc64(std::string_view bytes, uint64_t before) {
  return crc64_ecma_refl(before, reinterpret_cast<const unsigned char*>(bytes.data()),
                         bytes.size());
}

}  // namespace skiff::images
