#include "images/decompress.h"

#include <zstd.h>
#include <zstd_errors.h>

#include <string>

#include "images/inflate.h"
#include "images/limits.h"

namespace skiff::images {

// Turns pieces of the compressed stream into pieces of the plain one.
class DecompressedSource::Decoder {
 public:
  virtual ~Decoder() = default;
  // Takes from `input` and hands out what that gave, perhaps nothing yet.
  virtual Result<std::string_view> Decode(std::string_view* input) = 0;
  // The input is at its end: an error when that is in the middle of something.
  virtual Result<> End() const = 0;

 protected:
  std::unique_ptr<char[]> buffer_{new char[kSourceChunk]};
};

namespace {

using Decoder = DecompressedSource::Decoder;

class GzipDecoder : public Decoder {
 public:
  explicit GzipDecoder(std::unique_ptr<Inflater> inflater) : inflater_(std::move(inflater)) {}

  Result<std::string_view> Decode(std::string_view* input) override {
    if (is_between_members_) {
      // What an earlier piece began, this one continues: the first byte of a member tells.
      if (input->front() != '\x1f') return Error(Code::kInvalid, "gzip: garbage after the end");
      inflater_->Start();
    }
    size_t size = TRY(inflater_->Inflate(input, buffer_.get(), kSourceChunk));
    is_between_members_ = inflater_->is_at_end();
    return std::string_view(buffer_.get(), size);
  }

  Result<> End() const override {
    if (is_between_members_) return {};
    return Error(Code::kInvalid, "gzip: ends in the middle of the data");
  }

 private:
  std::unique_ptr<Inflater> inflater_;
  bool is_between_members_ = false;
};

class ZstdDecoder : public Decoder {
 public:
  ZstdDecoder() : context_(ZSTD_createDCtx()) {
    ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, kZstdWindowLog);
  }

  Result<std::string_view> Decode(std::string_view* input) override {
    bool is_at_end = input->empty();
    for (;;) {
      if (is_between_frames_) {
        bool has_header = TRY(GatherHeader(input, is_at_end));
        if (!has_header) return std::string_view();
      }
      size_t before = held_.size() + input->size();
      Result<std::string_view> fed = held_.empty() ? Feed(input) : FeedHeld();
      std::string_view plain = TRY(std::move(fed));
      size_t left = held_.size() + input->size();
      bool is_stuck = left == before;  // the caller says so
      if (!plain.empty() || left == 0 || is_stuck) return plain;
    }
  }

  Result<> End() const override {
    if (is_between_frames_ && held_.empty()) return {};
    return Error(Code::kInvalid, "zstd: ends in the middle of the data");
  }

 private:
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };

  Result<std::string_view> Feed(std::string_view* input) {
    ZSTD_inBuffer in{input->data(), input->size(), 0};
    ZSTD_outBuffer out{buffer_.get(), kSourceChunk, 0};
    size_t code = ZSTD_decompressStream(context_.get(), &out, &in);
    if (ZSTD_getErrorCode(code) == ZSTD_error_frameParameter_windowTooLarge) {
      return Error(Code::kExhausted, "zstd: its window is larger than " +
                                         std::to_string((uint64_t{1} << kZstdWindowLog) >> 20) +
                                         " MiB; without --long and below level 21 it is not");
    }
    if (ZSTD_isError(code)) {
      return Error(Code::kInvalid, std::string("zstd: ") + ZSTD_getErrorName(code));
    }
    input->remove_prefix(in.pos);
    is_between_frames_ = code == 0;
    return std::string_view(buffer_.get(), out.pos);
  }

  Result<std::string_view> FeedHeld() {
    std::string_view rest = held_;
    std::string_view plain = TRY(Feed(&rest));
    held_.erase(0, held_.size() - rest.size());
    return plain;
  }

  // A frame's header in one piece, checked; false when more input must come first. The library
  // takes frames of its formats before 1.0, whose decoders are old and unlooked after; and when a
  // header comes in two pieces it may take what follows the first for the beginning of the frame.
  Result<bool> GatherHeader(std::string_view* input, bool is_at_end) {
    std::string_view header = *input;
    if (!held_.empty() || input->size() < kMaxHeader) {
      if (held_.size() < kMaxHeader) held_ += std::exchange(*input, {});
      if (held_.empty() || (held_.size() < kMaxHeader && !is_at_end)) return false;
      header = held_;
    }
    Result<Compression> format = DetectCompression(header);
    if (format.ok() && format.value() == Compression::kZstd) return true;
    return Error(Code::kInvalid, "zstd: what follows a frame is no frame");
  }

  static constexpr size_t kMaxHeader = 18;  // of a frame, magic number included (RFC 8878)
  std::unique_ptr<ZSTD_DCtx, Free> context_;
  std::string held_;  // input from a frame's beginning on, where that came in pieces
  bool is_between_frames_ = true;
};

std::unique_ptr<Decoder> MakeDecoder(Compression compression, bool by_zlib) {
  switch (compression) {
    case Compression::kNone:
      return nullptr;
    case Compression::kGzip:
      return std::make_unique<GzipDecoder>(by_zlib ? MakeZlibInflater() : MakeInflater());
    case Compression::kZstd:
      return std::make_unique<ZstdDecoder>();
  }
  return nullptr;
}

}  // namespace

std::string_view CompressionName(Compression compression) {
  switch (compression) {
    case Compression::kNone:
      return "none";
    case Compression::kGzip:
      return "gzip";
    case Compression::kZstd:
      return "zstd";
  }
  return "none";
}

Result<Compression> DetectCompression(std::string_view first_bytes) {
  using namespace std::string_view_literals;  // NOLINT(google-build-using-namespace): literals
  if (first_bytes.starts_with("\x1f\x8b"sv)) return Compression::kGzip;
  if (first_bytes.starts_with("\x28\xb5\x2f\xfd"sv)) return Compression::kZstd;
  // A skippable frame of zstd: 0x184D2A50 to 5F, little-endian.
  if (first_bytes.size() >= 4 && (first_bytes[0] & '\xf0') == '\x50' &&
      first_bytes.substr(1, 3) == "\x2a\x4d\x18"sv) {
    return Compression::kZstd;
  }
  for (auto [magic, name] : {std::pair("\xfd\x37zXZ\0"sv, "xz"), std::pair("BZh9"sv, "bzip2"),
                             std::pair("\x04\x22\x4d\x18"sv, "lz4")}) {
    if (!first_bytes.starts_with(magic)) continue;
    return Error(Code::kInvalid, std::string("compressed with ") + name +
                                     ", which is not supported (gzip and zstd are)");
  }
  return Compression::kNone;
}

DecompressedSource::DecompressedSource(ByteSource* input, std::string_view first,
                                       Compression compression, bool by_zlib)
    : input_(input),
      piece_(first),
      compression_(compression),
      decoder_(MakeDecoder(compression, by_zlib)) {}

DecompressedSource::~DecompressedSource() = default;

Result<std::unique_ptr<DecompressedSource>> DecompressedSource::Open(ByteSource* input,
                                                                     bool by_zlib) {
  std::string_view first = TRY(input->Next());
  Compression compression = TRY(DetectCompression(first));
  return std::unique_ptr<DecompressedSource>(
      new DecompressedSource(input, first, compression, by_zlib));
}

Result<std::string_view> DecompressedSource::Next() {
  if (!decoder_) {
    if (!piece_.empty()) return std::exchange(piece_, {});
    return input_->Next();
  }
  for (;;) {
    // Even without new input a decoder may hold back output that did not fit the last time.
    bool is_at_end = false;
    if (piece_.empty()) {
      piece_ = TRY(input_->Next());
      is_at_end = piece_.empty();
    }
    if (is_at_end && decoder_->End().ok()) return std::string_view();
    size_t before = piece_.size();
    std::string_view plain = TRY(decoder_->Decode(&piece_));
    if (!plain.empty()) return plain;
    if (is_at_end) {
      TRY(decoder_->End());
      return std::string_view();
    }
    if (piece_.size() == before) return Error(Code::kInternal, "the decoder makes no progress");
  }
}

uint64_t DecompressedSource::Skip(uint64_t count) {
  if (decoder_) return 0;
  uint64_t from_piece = std::min<uint64_t>(count, piece_.size());
  piece_.remove_prefix(static_cast<size_t>(from_piece));
  return from_piece + input_->Skip(count - from_piece);
}

}  // namespace skiff::images
