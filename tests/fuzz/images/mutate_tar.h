// How a fuzzer changes tars: from a seed with something of everything, with checksums that are
// right. Once in each target.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

#include "images/tar_header.h"
#include "tests/support/tar_builder.h"

namespace skiff::fuzz {

// Mutations rarely hit a checksum: each block that looks like a header gets a right one.
inline std::string MendChecksums(std::string bytes) {
  for (size_t at = 0; at + images::kTarBlock <= bytes.size(); at += images::kTarBlock) {
    if (memcmp(&bytes[at + 257], "ustar", 5) != 0) continue;
    memset(&bytes[at + 148], ' ', 8);
    unsigned sum = 0;
    for (size_t i = 0; i < images::kTarBlock; ++i) sum += static_cast<unsigned char>(bytes[at + i]);
    snprintf(&bytes[at + 148], 8, "%06o", sum);
  }
  return bytes;
}

inline std::string Seed() {
  test::TarItem sparse{.name = "sparse", .content = "AAAABB"};
  sparse.pax = {{"GNU.sparse.size", "20"}, {"GNU.sparse.map", "4,4,12,2"}};
  return test::TarBuilder()
      .Directory("d/")
      .Add({.name = "f", .content = "text", .pax = {{"path", "d/long"}, {"mtime", "1.5"}}})
      .Add({.name = "l", .type = 'L', .content = "d/longer"})
      .Symlink("s", "d")
      .Add(sparse)
      .Finish();
}

}  // namespace skiff::fuzz

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned) {
  std::string bytes(reinterpret_cast<char*>(data), size);
  if (size < skiff::images::kTarBlock) bytes = skiff::fuzz::Seed();
  bytes.resize(std::min(bytes.size(), max_size));
  memcpy(data, bytes.data(), bytes.size());
  return LLVMFuzzerMutate(data, bytes.size(), max_size);
}
