// For where ISA-L is not, or is not wanted (SKIFF_ISAL=OFF).
#include "images/checksum.h"
#include "images/inflate.h"

namespace skiff::images {

std::unique_ptr<Inflater> MakeIsalInflater() { return nullptr; }
std::unique_ptr<Inflater> MakeInflater() { return MakeZlibInflater(); }
uint32_t Crc32c(std::string_view bytes, uint32_t before) { return Crc32cByTable(bytes, before); }
uint64_t Crc64(std::string_view bytes, uint64_t before) { return Crc64ByTable(bytes, before); }

}  // namespace skiff::images
