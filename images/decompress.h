// Layers come plain, gzip'd or zstd'd; which one is told by the first bytes, because media types
// lie. Concatenated gzip members, several zstd frames and skippable frames are one stream. Anything
// after the last member that is not another one is refused.
#pragma once

#include <memory>
#include <string_view>

#include "images/byte_source.h"
#include "isolation/base/result.h"

namespace skiff::images {

enum class Compression { kNone, kGzip, kZstd };

std::string_view CompressionName(Compression compression);

// From the first bytes of a stream. Known formats that skiff does not read (xz, bzip2, lz4) are an
// error.
Result<Compression> DetectCompression(std::string_view first_bytes);

// Reads its first piece from `input` at once, to detect; borrows `input`.
class DecompressedSource : public ByteSource {
 public:
  // `by_zlib`: gzip without ISA-L even where that is built in (inflate.h).
  static Result<std::unique_ptr<DecompressedSource>> Open(ByteSource* input, bool by_zlib = false);
  ~DecompressedSource() override;

  Compression compression() const { return compression_; }
  Result<std::string_view> Next() override;
  uint64_t Skip(uint64_t count) override;  // as the input does, when there is no compression

  class Decoder;  // of decompress.cc: one per format

 private:
  DecompressedSource(ByteSource* input, std::string_view first, Compression compression,
                     bool by_zlib);

  ByteSource* input_;
  std::string_view piece_;  // what the decoder has not taken yet
  Compression compression_;
  std::unique_ptr<Decoder> decoder_;
};

}  // namespace skiff::images
