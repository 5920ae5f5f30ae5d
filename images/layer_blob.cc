#include "images/layer_blob.h"

#include <utility>

#include "images/decompress.h"
#include "images/limits.h"
#include "isolation/sys/file.h"

namespace skiff::images {
namespace {

class KeptFile : public ByteSource {
 public:
  KeptFile(UniqueFd fd, uint64_t size) : fd_(std::move(fd)), file_(fd_.get(), 0, size) {}
  Result<> Inflate() {
    plain_ = TRY(DecompressedSource::Open(&file_));
    return {};
  }
  Result<std::string_view> Next() override { return plain_ ? plain_->Next() : file_.Next(); }

 private:
  UniqueFd fd_;
  FileSource file_;
  std::unique_ptr<DecompressedSource> plain_;
};

Error NotKept(const Digest& wanted) {
  return Error(Code::kNotFound,
               "the file " + wanted.ToString() +
                   " was not kept; skiff image pull --keep-layer-files fetches it, "
                   "or import the image again");
}

}  // namespace

Result<std::unique_ptr<ByteSource>> OpenLayerBlob(const StoreFiles& files, const LayerRecord& layer,
                                                  const Digest& wanted) {
  bool is_there = files.HasBlob(wanted);
  if (!is_there && (wanted != layer.diff_id || !layer.blob)) return NotKept(wanted);
  UniqueFd fd = TRY(files.OpenBlob(is_there ? wanted : *layer.blob));
  struct stat info = TRY(sys::StatFd(fd.get()));
  auto kept = std::make_unique<KeptFile>(std::move(fd), static_cast<uint64_t>(info.st_size));
  if (!is_there) TRY(kept->Inflate());
  return std::unique_ptr<ByteSource>(std::move(kept));
}

Result<uint64_t> LayerBlobSize(const StoreFiles& files, const LayerRecord& layer,
                               const Digest& wanted) {
  if (files.HasBlob(wanted)) return files.BlobSize(wanted);
  std::unique_ptr<ByteSource> source = TRY(OpenLayerBlob(files, layer, wanted));
  HashingSource counted(source.get(), kMaxLayer);
  TRY(Drain(&counted));
  return counted.count();
}

}  // namespace skiff::images
