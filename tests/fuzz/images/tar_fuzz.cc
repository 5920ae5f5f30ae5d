// Any bytes as a tar: no crash, no endless loop, and what comes out keeps its promises. The same
// bytes in small pieces give the same entries.
#include "images/layer_tree.h"
#include "images/limits.h"
#include "images/tar.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/images/mutate_tar.h"
#include "tests/support/memory_source.h"

namespace {

using skiff::Result;
using skiff::fuzz::Check;
using skiff::images::CleanName;
using skiff::images::TarData;
using skiff::images::TarEntry;
using skiff::images::TarReader;

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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes = skiff::fuzz::MendChecksums({reinterpret_cast<const char*>(data), size});
  Check(Read(bytes, 7) == Read(bytes, SIZE_MAX));
  return 0;
}
