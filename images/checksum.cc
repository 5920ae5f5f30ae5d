#include "images/checksum.h"

#include <array>

namespace skiff::images {
namespace {

template <typename Word>
constexpr std::array<Word, 256> MakeTable(Word polynomial) {
  std::array<Word, 256> table{};
  for (unsigned i = 0; i < table.size(); ++i) {
    Word word = i;
    for (int bit = 0; bit < 8; ++bit) {
      word = (word & 1) != 0 ? (word >> 1) ^ polynomial : word >> 1;
    }
    table[i] = word;
  }
  return table;
}

// Both polynomials with their bits reversed.
constexpr std::array<uint32_t, 256> kCastagnoli = MakeTable<uint32_t>(0x82F63B78);
constexpr std::array<uint64_t, 256> kEcma = MakeTable<uint64_t>(0xC96C5795D7870F42);

template <typename Word>
Word Run(const std::array<Word, 256>& table, std::string_view bytes, Word word) {
  for (char byte : bytes) {
    word = table[(word ^ static_cast<unsigned char>(byte)) & 0xFF] ^ (word >> 8);
  }
  return word;
}

}  // namespace

uint32_t Crc32cByTable(std::string_view bytes, uint32_t before) {
  return Run(kCastagnoli, bytes, before);
}

uint64_t Crc64ByTable(std::string_view bytes, uint64_t before) {
  return ~Run(kEcma, bytes, ~before);
}

}  // namespace skiff::images
