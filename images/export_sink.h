// Where an export goes: files in a directory, or members of a tar. Private to images/. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "images/byte_source.h"
#include "images/digest.h"
#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"

namespace skiff::images {

class ExportSink {
 public:
  virtual ~ExportSink() = default;
  // `source` gives exactly `size` bytes, or it is an error.
  virtual Result<> Add(const std::string& name, uint64_t size, ByteSource* source) = 0;
  virtual Result<> Finish() = 0;

  Result<> AddText(const std::string& name, std::string_view text);
};

// Borrows the descriptor.
class TarSink : public ExportSink {
 public:
  explicit TarSink(int out) : out_(out) {}
  Result<> Add(const std::string& name, uint64_t size, ByteSource* source) override;
  Result<> Finish() override;

 private:
  Result<> Pad(uint64_t size);
  int out_;
};

// Makes directories as names need them.
class DirectorySink : public ExportSink {
 public:
  explicit DirectorySink(std::string path) : path_(std::move(path)) {}
  Result<> Add(const std::string& name, uint64_t size, ByteSource* source) override;
  Result<> Finish() override { return {}; }

 private:
  std::string path_;
};

}  // namespace skiff::images
