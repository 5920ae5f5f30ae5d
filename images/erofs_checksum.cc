#include "images/erofs_checksum.h"

#include <isa-l/crc.h>

namespace skiff::images {

uint32_t ErofsChecksum(std::string block) {
  return crc32_iscsi(reinterpret_cast<unsigned char*>(block.data()), static_cast<int>(block.size()),
                     ~uint32_t{0});
}

}  // namespace skiff::images
