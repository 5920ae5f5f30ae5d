// Any text as a manifest, an index, a docker manifest.json, a configuration: no crash,
// and nothing is a manifest and an index at once.
#include <cstdlib>
#include <string>

#include "images/config.h"
#include "images/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using skiff::Result;
  namespace images = skiff::images;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  Result<images::Manifest> manifest = images::DecodeManifest(text, "fuzz", "");
  bool is_index = images::DecodeIndex(text, "fuzz", "").ok();
  if (manifest.ok() && is_index) abort();
  if (manifest.ok()) {
    std::string encoded = images::EncodeManifest(manifest.value());
    if (!images::DecodeManifest(encoded, "fuzz", images::kOciManifestType).ok()) abort();
  }
  bool is_known = images::DecodeDockerImages(text, "fuzz").ok();
  is_known |= images::DecodeImageConfig(text, "fuzz").ok();
  if (is_known && is_index && manifest.ok()) abort();
  return 0;
}
