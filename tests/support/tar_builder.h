// Writes tar archives for tests, the broken ones too: what a header says is what the test asks for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skiff::test {

struct TarItem {
  std::string name;
  char type = '0';
  std::string content;
  std::string link;
  unsigned mode = 0644;
  uint64_t uid = 0;
  uint64_t gid = 0;
  int64_t mtime = 1'000'000'000;
  unsigned device_major = 0;
  unsigned device_minor = 0;
  std::vector<std::pair<std::string, std::string>> pax;  // a header of type x before this one
};

class TarBuilder {
 public:
  TarBuilder& Add(const TarItem& item);
  TarBuilder& File(const std::string& name, const std::string& content = "");
  TarBuilder& Directory(const std::string& name, unsigned mode = 0755);
  TarBuilder& Symlink(const std::string& name, const std::string& target);
  TarBuilder& HardLink(const std::string& name, const std::string& target);
  // One header block and nothing else; numbers too big for octal are written in base 256.
  TarBuilder& Header(const TarItem& item, uint64_t size);
  TarBuilder& Raw(std::string_view bytes);
  TarBuilder& Pad();

  const std::string& open() const { return bytes_; }  // without an end
  std::string Finish() const { return bytes_ + std::string(1024, '\0'); }

 private:
  std::string bytes_;
};

std::string PaxBody(const std::vector<std::pair<std::string, std::string>>& records);

// One gzip member, one zstd frame.
std::string Gzip(std::string_view plain);
std::string Zstd(std::string_view plain);

}  // namespace skiff::test
