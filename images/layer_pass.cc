#include "images/layer_pass.h"

#include <fcntl.h>

#include "images/background_hash.h"
#include "images/erofs_format.h"
#include "images/erofs_reader.h"
#include "images/erofs_tree.h"
#include "images/erofs_writer.h"
#include "images/inflation_guard.h"
#include "images/limits.h"
#include "images/unpack_process.h"
#include "isolation/sys/file.h"

namespace skiff::images {
namespace {

// Writes what passes to a file, and knows its checksum.
class StoringSource : public ByteSource {
 public:
  StoringSource(ByteSource* input, int file) : input_(input), file_(file) {}
  Result<std::string_view> Next() override {
    std::string_view piece = TRY(input_->Next());
    TRY(Write(piece));
    return piece;
  }
  // A block device ends with a block.
  Result<> Pad() {
    if (size_ % erofs::kBlock == 0) return {};
    return Write(std::string(erofs::kBlock - size_ % erofs::kBlock, '\0'));
  }
  uint64_t size() const { return size_; }
  const ContentSum& sum() const { return sum_; }

 private:
  Result<> Write(std::string_view bytes) {
    TRY(sys::WriteAll(file_, bytes, "the layer's tar"));
    sum_.Update(bytes);
    size_ += bytes.size();
    return {};
  }

  ByteSource* input_;
  int file_;
  ContentSum sum_;
  uint64_t size_ = 0;
};

Result<UnpackedLayer> UnpackFiles(ByteSource* plain, const PlainPlace& place, ContentSums* sums) {
  LayerDirectory sink(place.directory);
  return UnpackLayer(plain, &sink, place.lower, sums);
}

Result<> NoteSum(int file, const ContentSum& sum, ContentSums* sums) {
  struct stat info = TRY(sys::StatFd(file));
  sums->Note(info.st_ino, sum.value());
  return {};
}

Result<UnpackedLayer> MakeImage(ByteSource* plain, const PlainPlace& place, ContentSums* sums) {
  constexpr int kFlags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;
  UniqueFd image = TRY(sys::Open(place.directory, kErofsImage, kFlags, 0600));
  UniqueFd tar = TRY(sys::Open(place.directory, kErofsTar, kFlags, 0600));
  StoringSource stored(plain, tar.get());
  ErofsTree tree(image.get());
  UnpackedLayer layer = TRY(UnpackLayer(&stored, &tree, place.lower));
  TRY(stored.Pad());
  TRY(NoteSum(tar.get(), stored.sum(), sums));
  uint64_t size = TRY(WriteErofs(&tree, tar.get(), stored.size()));
  FileSource written(image.get(), 0, size);
  ContentSum sum;
  for (;;) {
    std::string_view piece = TRY(written.Next());
    if (piece.empty()) break;
    sum.Update(piece);
  }
  TRY(NoteSum(image.get(), sum, sums));
  layer.size = size + stored.size();
  return layer;
}

}  // namespace

Result<PlainLayer> ReadPlainLayer(ByteSource* file, const PlainPlace& place, int list) {
  PlainLayer layer;
  CountingSource compressed(file);
  std::unique_ptr<DecompressedSource> inflated = TRY(DecompressedSource::Open(&compressed));
  InflationGuard guard(inflated.get(), &compressed, place.most);
  BackgroundHashingSource plain(&guard, kMaxLayer);
  layer.compression = inflated->compression();
  ContentSums sums;
  bool is_image = place.kind == LayerKind::kErofs;
  layer.unpacked =
      TRY(is_image ? MakeImage(&plain, place, &sums) : UnpackFiles(&plain, place, &sums));
  layer.plain_size = plain.count();
  layer.diff_id = plain.Finish();
  sums.Sort();
  TRY(RecordFiles(place.directory, &sums, list));
  return layer;
}

Result<LayerPass> ReadLayer(ByteSource* file, const LayerPlace& place) {
  LayerPass pass;
  HashingSource blob(file, kMaxArchive);
  pass.plain = TRY(UnpackConfined(&blob, place));
  // The kernel is going to read it: not what a process may have made that a hostile layer got hold
  // of, unless it is an image like any other.
  if (KindOfPlace(place.directory) == LayerKind::kErofs) TRY(CheckErofsLayer(place.directory));
  pass.blob = blob.Finish();
  return pass;
}

}  // namespace skiff::images
