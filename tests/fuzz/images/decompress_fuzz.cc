// Any bytes as a compressed stream: no crash, bounded output for the time spent, and the same
// whether they come whole or in small pieces, as far as both are taken; and what ISA-L and zlib
// both take as gzip is the same.
#include <cstdlib>
#include <string>

#include "images/decompress.h"
#include "images/limits.h"
#include "tests/support/memory_source.h"

namespace {

// The plain bytes up to an error, and whether there was one.
std::pair<std::string, bool> Read(const std::string& bytes, size_t piece, bool by_zlib = false) {
  constexpr size_t kEnough = 4 << 20;
  skiff::test::MemorySource source(bytes, piece);
  auto opened = skiff::images::DecompressedSource::Open(&source, by_zlib);
  if (!opened.ok()) return {"", false};
  std::string plain;
  while (plain.size() < kEnough) {
    auto next = opened.value()->Next();
    if (!next.ok()) return {plain, false};
    if (next.value().empty()) break;
    if (next.value().size() > skiff::images::kSourceChunk && piece != SIZE_MAX) abort();
    plain += next.value();
  }
  return {plain, true};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  if (size % 4 == 1) bytes.insert(0, "\x28\xb5\x2f\xfd");
  if (size % 4 == 2) bytes.insert(0, std::string("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10));
  // Pieces hold the magic, so that both readers detect the same.
  std::pair<std::string, bool> whole = Read(bytes, SIZE_MAX);
  std::pair<std::string, bool> pieces = Read(bytes, 16);
  // libzstd looks harder at a damaged frame that it has as a whole; what it lets pass in pieces,
  // the layer's digest refuses.
  bool is_zstd = bytes.size() > 1 && (bytes[1] == '\xb5' || bytes[1] == '\x2a');
  if (!is_zstd && whole.second != pieces.second) abort();
  if (whole.second && pieces.second && whole.first != pieces.first) abort();
  std::pair<std::string, bool> by_zlib = Read(bytes, 16, true);
  if (by_zlib.second && pieces.second && by_zlib.first != pieces.first) abort();
  return 0;
}
