// Any bytes as a tar: no crash, no endless loop, and what comes out keeps its promises. The same
// bytes in small pieces give the same entries.
#include <algorithm>
#include <cstring>

#include "images/layer_tree.h"
#include "images/limits.h"
#include "images/tar.h"
#include "images/tar_header.h"
#include "tests/fuzz/check.h"
#include "tests/support/memory_source.h"
#include "tests/support/tar_builder.h"

namespace {

using skiff::Result;
using skiff::fuzz::Check;
using skiff::images::CleanName;
using skiff::images::kTarBlock;
using skiff::images::TarData;
using skiff::images::TarEntry;
using skiff::images::TarReader;
using skiff::test::TarBuilder;

void CheckClean(const std::string& name) {
  Result<std::string> clean = CleanName(name);
  if (!clean.ok()) return;
  std::string padded = "/" + clean.value() + "/";
  Check(padded.find("/../") == std::string::npos && padded.find("/./") == std::string::npos);
  Check(clean.value().empty() || padded.find("//") == std::string::npos);
}

// What a reader saw, as text to compare.
std::string Read(const std::string& bytes, size_t piece) {
  skiff::test::MemorySource source(bytes, piece);
  TarReader reader(&source);
  TarEntry entry;
  std::string seen;
  for (;;) {
    Result<bool> is_there = reader.Next(&entry);
    if (!is_there.ok()) return seen + is_there.error().message();
    if (!is_there.value()) return seen;
    Check(entry.name.size() <= skiff::images::kMaxTarName);
    CheckClean(entry.name);
    seen += entry.name + "\n" + entry.link_target + "\n";
    uint64_t end = 0;
    for (;;) {
      Result<TarData> data = reader.ReadData();
      if (!data.ok()) return seen + data.error().message();
      if (data.value().bytes.empty()) break;
      Check(data.value().offset >= end);
      end = data.value().offset + data.value().bytes.size();
      Check(end <= entry.size);
      seen += data.value().bytes;
    }
  }
}

// Mutations rarely hit a checksum: each block that looks like a header gets a right one.
std::string MendChecksums(std::string bytes) {
  for (size_t at = 0; at + kTarBlock <= bytes.size(); at += kTarBlock) {
    if (memcmp(&bytes[at + 257], "ustar", 5) != 0) continue;
    memset(&bytes[at + 148], ' ', 8);
    unsigned sum = 0;
    for (size_t i = 0; i < kTarBlock; ++i) sum += static_cast<unsigned char>(bytes[at + i]);
    snprintf(&bytes[at + 148], 8, "%06o", sum);
  }
  return bytes;
}

std::string Seed() {
  skiff::test::TarItem sparse{.name = "sparse", .content = "AAAABB"};
  sparse.pax = {{"GNU.sparse.size", "20"}, {"GNU.sparse.map", "4,4,12,2"}};
  return TarBuilder()
      .Directory("d/")
      .Add({.name = "f", .content = "text", .pax = {{"path", "d/long"}, {"mtime", "1.5"}}})
      .Add({.name = "l", .type = 'L', .content = "d/longer"})
      .Symlink("s", "d")
      .Add(sparse)
      .Finish();
}

}  // namespace

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned) {
  std::string bytes(reinterpret_cast<char*>(data), size);
  if (size < kTarBlock) bytes = Seed();
  bytes.resize(std::min(bytes.size(), max_size));
  memcpy(data, bytes.data(), bytes.size());
  return LLVMFuzzerMutate(data, bytes.size(), max_size);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes = MendChecksums({reinterpret_cast<const char*>(data), size});
  Check(Read(bytes, 7) == Read(bytes, SIZE_MAX));
  return 0;
}
