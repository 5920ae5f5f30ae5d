#include "images/layer_pass.h"

#include "images/background_hash.h"
#include "images/limits.h"
#include "images/unpack_process.h"

namespace skiff::images {
namespace {

// Ends a stream that grows out of all proportion to the file it comes from.
class RatioGuard : public ByteSource {
 public:
  RatioGuard(ByteSource* plain, const CountingSource* file) : plain_(plain), file_(file) {}

  Result<std::string_view> Next() override {
    std::string_view piece = TRY(plain_->Next());
    count_ += piece.size();
    uint64_t allowed = kFreelyInflated.count() + file_->count() * kMaxInflation;
    if (count_ <= allowed) return piece;
    return Error(Code::kExhausted, "more than " + std::to_string(kMaxInflation) +
                                       " times its compressed size comes out of it");
  }

 private:
  ByteSource* plain_;
  const CountingSource* file_;
  uint64_t count_ = 0;
};

}  // namespace

Result<PlainLayer> ReadPlainLayer(ByteSource* file, int directory, LowerDirectories lower,
                                  int list) {
  PlainLayer layer;
  CountingSource compressed(file);
  std::unique_ptr<DecompressedSource> inflated = TRY(DecompressedSource::Open(&compressed));
  RatioGuard guard(inflated.get(), &compressed);
  BackgroundHashingSource plain(&guard, kMaxLayer);
  layer.compression = inflated->compression();
  ContentSums sums;
  layer.unpacked = TRY(UnpackLayer(&plain, directory, std::move(lower), &sums));
  layer.plain_size = plain.count();
  layer.diff_id = plain.Finish();
  sums.Sort();
  TRY(RecordFiles(directory, &sums, list));
  return layer;
}

Result<LayerPass> ReadLayer(ByteSource* file, const LayerPlace& place) {
  LayerPass pass;
  HashingSource blob(file, kMaxArchive);
  pass.plain = TRY(UnpackConfined(&blob, place));
  pass.blob = blob.Finish();
  return pass;
}

}  // namespace skiff::images
