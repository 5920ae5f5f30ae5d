#include "images/export_sink.h"

#include <fcntl.h>

#include <array>
#include <cstdio>
#include <cstring>

#include "isolation/sys/file.h"

namespace skiff::images {
namespace {

constexpr size_t kBlock = 512;
constexpr uint64_t kMaxOctalSize = (uint64_t{1} << 33) - 1;  // eleven digits

class TextSource : public ByteSource {
 public:
  explicit TextSource(std::string_view text) : text_(text) {}
  Result<std::string_view> Next() override { return std::exchange(text_, {}); }

 private:
  std::string_view text_;
};

void PutOctal(char* field, size_t width, uint64_t number) {
  for (size_t i = width - 1; i-- > 0; number >>= 3) {
    field[i] = static_cast<char>('0' + (number & 7));
  }
}

void PutSize(char* field, size_t width, uint64_t size) {
  if (size <= kMaxOctalSize) return PutOctal(field, width, size);
  // GNU's way: the number itself, big end first, behind a mark.
  for (size_t i = width; i-- > 1; size >>= 8) field[i] = static_cast<char>(size & 0xff);
  field[0] = static_cast<char>(0x80);
}

// Of a regular file, 0644 of root, of 1970: the same image gives the same archive.
std::array<char, kBlock> HeaderOf(const std::string& name, uint64_t size) {
  std::array<char, kBlock> header{};
  std::memcpy(header.data(), name.data(), std::min<size_t>(name.size(), 100));
  PutOctal(&header[100], 8, 0644);
  PutOctal(&header[108], 8, 0);
  PutOctal(&header[116], 8, 0);
  PutSize(&header[124], 12, size);
  PutOctal(&header[136], 12, 0);
  std::memset(&header[148], ' ', 8);
  header[156] = '0';
  std::memcpy(&header[257], "ustar\00000", 8);
  uint64_t sum = 0;
  for (char c : header) sum += static_cast<unsigned char>(c);
  PutOctal(&header[148], 7, sum);
  return header;
}

// All of `source` into `out`: `size` bytes.
Result<> Copy(ByteSource* source, uint64_t size, int out, const std::string& name) {
  uint64_t done = 0;
  for (;;) {
    std::string_view piece = TRY(source->Next());
    if (piece.empty()) break;
    done += piece.size();
    if (done > size) break;
    TRY(sys::WriteAll(out, piece, name));
  }
  if (done == size) return {};
  return Error(Code::kInternal, name + ": has another length than " + std::to_string(size));
}

}  // namespace

Result<> ExportSink::AddText(const std::string& name, std::string_view text) {
  TextSource source(text);
  return Add(name, text.size(), &source);
}

Result<> TarSink::Add(const std::string& name, uint64_t size, ByteSource* source) {
  std::array<char, kBlock> header = HeaderOf(name, size);
  TRY(sys::WriteAll(out_, {header.data(), header.size()}, name));
  TRY(Copy(source, size, out_, name));
  return Pad((kBlock - size % kBlock) % kBlock);
}

Result<> TarSink::Finish() { return Pad(2 * kBlock); }

Result<> TarSink::Pad(uint64_t size) {
  return sys::WriteAll(out_, std::string(size, '\0'), "padding");
}

Result<> DirectorySink::Add(const std::string& name, uint64_t size, ByteSource* source) {
  std::string path = path_ + "/" + name;
  TRY(sys::MakeDirectories(path.substr(0, path.rfind('/')), 0755));
  UniqueFd file = TRY(sys::Open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0644));
  return Copy(source, size, file.get(), name);
}

}  // namespace skiff::images
