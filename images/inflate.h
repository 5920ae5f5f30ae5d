// One member of a gzip file at a time: by ISA-L, or by zlib where that is not built in. Private to
// images/. One thread.
#pragma once

#include <memory>
#include <string_view>

#include "isolation/base/result.h"

namespace skiff::images {

class Inflater {
 public:
  virtual ~Inflater() = default;
  // Begins a member anew.
  virtual void Start() = 0;
  // Takes from `input` what it can and fills `output` from its start; answers how many bytes.
  // kInvalid when the header, the data, the checksum or the length is wrong.
  virtual Result<size_t> Inflate(std::string_view* input, char* output, size_t size) = 0;
  // The member's last byte has been taken.
  virtual bool is_at_end() const = 0;
};

std::unique_ptr<Inflater> MakeZlibInflater();
std::unique_ptr<Inflater> MakeIsalInflater();  // nullptr: not built in
// The faster one of those that are there.
std::unique_ptr<Inflater> MakeInflater();

}  // namespace skiff::images
