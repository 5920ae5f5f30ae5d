#include "images/inflate.h"

// igzip_lib.h of ISA-L 2.30 lacks the guard that later ones have.
extern "C" {
#include <isa-l/igzip_lib.h>
}

#include <algorithm>
#include <cstdint>
#include <string>

namespace skiff::images {
namespace {

const char* DescribeInflate(int code) {
  switch (code) {
    case ISAL_INVALID_BLOCK:
      return "a block of unknown type";
    case ISAL_INVALID_SYMBOL:
      return "an invalid symbol";
    case ISAL_INVALID_LOOKBACK:
      return "a reference to before the start";
    case ISAL_INVALID_WRAPPER:
      return "an invalid header";
    case ISAL_UNSUPPORTED_METHOD:
      return "an unknown method";
    case ISAL_INCORRECT_CHECKSUM:
      return "a wrong checksum";
    default:
      return "corrupt data";
  }
}

class IsalInflater : public Inflater {
 public:
  IsalInflater() : state_(new inflate_state) { Start(); }

  void Start() override {
    isal_inflate_init(state_.get());
    state_->crc_flag = ISAL_GZIP;  // header, checksum and length are read and checked
  }

  Result<size_t> Inflate(std::string_view* input, char* output, size_t size) override {
    size_t given = std::min<size_t>(input->size(), UINT32_MAX);
    // ISA-L only reads what it is given.
    state_->next_in = reinterpret_cast<uint8_t*>(const_cast<char*>(input->data()));
    state_->avail_in = static_cast<uint32_t>(given);
    state_->next_out = reinterpret_cast<uint8_t*>(output);
    state_->avail_out = static_cast<uint32_t>(size);
    int code = isal_inflate(state_.get());
    if (code < 0) return Error(Code::kInvalid, std::string("gzip: ") + DescribeInflate(code));
    input->remove_prefix(given - state_->avail_in);
    return size - state_->avail_out;
  }

  bool is_at_end() const override { return state_->block_state == ISAL_BLOCK_FINISH; }

 private:
  std::unique_ptr<inflate_state> state_;
};

}  // namespace

std::unique_ptr<Inflater> MakeIsalInflater() { return std::make_unique<IsalInflater>(); }
std::unique_ptr<Inflater> MakeInflater() { return MakeIsalInflater(); }

}  // namespace skiff::images
