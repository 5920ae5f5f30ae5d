#include "tests/support/tar_builder.h"

#include <zlib.h>
#include <zstd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace skiff::test {
namespace {

constexpr size_t kBlock = 512;

void PutText(char* field, size_t width, std::string_view text) {
  memcpy(field, text.data(), std::min(width, text.size()));
}

void PutNumber(char* field, size_t width, int64_t value) {
  bool fits = value >= 0 && (width >= 22 || static_cast<uint64_t>(value) >> 3 * (width - 1) == 0);
  if (fits) {
    for (size_t i = width - 1; i-- > 0; value >>= 3)
      field[i] = static_cast<char>('0' + (value & 7));
    return;
  }
  char sign = value < 0 ? '\xff' : '\x80';
  for (size_t i = width; i-- > 1; value >>= 8) field[i] = static_cast<char>(value & 0xff);
  field[0] = sign;
}

}  // namespace

TarBuilder& TarBuilder::Header(const TarItem& item, uint64_t size) {
  char block[kBlock] = {};
  PutText(block, 100, item.name);
  PutNumber(block + 100, 8, item.mode);
  PutNumber(block + 108, 8, static_cast<int64_t>(item.uid));
  PutNumber(block + 116, 8, static_cast<int64_t>(item.gid));
  PutNumber(block + 124, 12, static_cast<int64_t>(size));
  PutNumber(block + 136, 12, item.mtime);
  block[156] = item.type;
  PutText(block + 157, 100, item.link);
  PutText(block + 257, 8, std::string_view("ustar\00000", 8));
  PutNumber(block + 329, 8, item.device_major);
  PutNumber(block + 337, 8, item.device_minor);
  memset(block + 148, ' ', 8);
  unsigned sum = 0;
  for (char c : block) sum += static_cast<unsigned char>(c);
  snprintf(block + 148, 8, "%06o", sum);
  bytes_.append(block, kBlock);
  return *this;
}

TarBuilder& TarBuilder::Raw(std::string_view bytes) {
  bytes_.append(bytes);
  return *this;
}

TarBuilder& TarBuilder::Pad() {
  bytes_.append((kBlock - bytes_.size() % kBlock) % kBlock, '\0');
  return *this;
}

TarBuilder& TarBuilder::Add(const TarItem& item) {
  if (!item.pax.empty()) {
    std::string body = PaxBody(item.pax);
    Header({.name = "PaxHeaders/x", .type = 'x'}, body.size()).Raw(body).Pad();
  }
  return Header(item, item.content.size()).Raw(item.content).Pad();
}

TarBuilder& TarBuilder::File(const std::string& name, const std::string& content) {
  return Add({.name = name, .content = content});
}

TarBuilder& TarBuilder::Directory(const std::string& name, unsigned mode) {
  return Add({.name = name, .type = '5', .mode = mode});
}

TarBuilder& TarBuilder::Symlink(const std::string& name, const std::string& target) {
  return Add({.name = name, .type = '2', .link = target, .mode = 0777});
}

TarBuilder& TarBuilder::HardLink(const std::string& name, const std::string& target) {
  return Add({.name = name, .type = '1', .link = target});
}

std::string PaxBody(const std::vector<std::pair<std::string, std::string>>& records) {
  std::string body;
  for (const auto& [key, value] : records) {
    size_t rest = key.size() + value.size() + 3;  // space, equals sign, newline
    size_t length = rest + std::to_string(rest).size();
    length = rest + std::to_string(length).size();
    body += std::to_string(length) + " " + key + "=" + value + "\n";
  }
  return body;
}

std::string Gzip(std::string_view plain) {
  z_stream stream{};
  if (deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) abort();
  std::string packed(deflateBound(&stream, plain.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) abort();
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

std::string Zstd(std::string_view plain) {
  std::string packed(ZSTD_compressBound(plain.size()), '\0');
  size_t size = ZSTD_compress(packed.data(), packed.size(), plain.data(), plain.size(), 3);
  if (ZSTD_isError(size)) abort();
  packed.resize(size);
  return packed;
}

}  // namespace skiff::test
