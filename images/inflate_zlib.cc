#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "images/inflate.h"

namespace skiff::images {
namespace {

constexpr int kGzipOnly = 16 + MAX_WBITS;  // header, checksum and length are read and checked

class ZlibInflater : public Inflater {
 public:
  ZlibInflater() { is_ready_ = inflateInit2(&stream_, kGzipOnly) == Z_OK; }
  ~ZlibInflater() override {
    if (is_ready_) inflateEnd(&stream_);
  }
  ZlibInflater(const ZlibInflater&) = delete;
  ZlibInflater& operator=(const ZlibInflater&) = delete;

  void Start() override {
    if (is_ready_) inflateReset(&stream_);
    is_at_end_ = false;
  }

  Result<size_t> Inflate(std::string_view* input, char* output, size_t size) override {
    if (!is_ready_) return Error(Code::kExhausted, "gzip: out of memory");
    size_t given = std::min<size_t>(input->size(), UINT32_MAX);
    // zlib only reads what it is given.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input->data()));
    stream_.avail_in = static_cast<uInt>(given);
    stream_.next_out = reinterpret_cast<Bytef*>(output);
    stream_.avail_out = static_cast<uInt>(size);
    int code = inflate(&stream_, Z_NO_FLUSH);
    // Z_BUF_ERROR: nothing to be done without more input.
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) {
      return Error(Code::kInvalid,
                   std::string("gzip: ") + (stream_.msg != nullptr ? stream_.msg : "corrupt data"));
    }
    is_at_end_ = code == Z_STREAM_END;
    input->remove_prefix(given - stream_.avail_in);
    return size - stream_.avail_out;
  }

  bool is_at_end() const override { return is_at_end_; }

 private:
  z_stream stream_{};
  bool is_ready_ = false;
  bool is_at_end_ = false;
};

}  // namespace

std::unique_ptr<Inflater> MakeZlibInflater() { return std::make_unique<ZlibInflater>(); }

}  // namespace skiff::images
