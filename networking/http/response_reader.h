// Reads HTTP/1.1 answers out of bytes, strictly: what two readers could understand in two ways is
// an error. Knows nothing of sockets. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"
#include "networking/http/message.h"

namespace skiff::networking::http {

struct ResponseHead {
  int status = 0;
  std::vector<Header> headers;
  bool is_keep_alive = true;  // by version and Connection
  bool is_chunked = false;
  std::optional<uint64_t> content_length;

  // The first header of that name, in any case; nullptr when there is none.
  const std::string* Find(std::string_view name) const;
};

// `text`: status line and headers, up to the empty line, with it or without.
Result<ResponseHead> ParseResponseHead(std::string_view text);

// Where the empty line behind the headers ends; npos when it is not there yet.
size_t FindEndOfHead(std::string_view text);

// The body of one answer, by its framing. Feed takes from the front of `input` and hands out the
// next piece of the body within it; an empty piece with input left means go on.
class BodyReader {
 public:
  // `has_body`: false for answers that have none whatever their headers say.
  BodyReader(const ResponseHead& head, bool has_body);

  Result<std::string_view> Feed(std::string_view* input);
  bool is_done() const { return state_ == State::kDone; }
  // The connection ended: fine only where that is what ends the body.
  Result<> EndOfInput();

 private:
  enum class State { kLength, kUntilEnd, kChunkSize, kChunk, kChunkEnd, kTrailer, kDone };
  Result<> TakeLine(std::string_view line);

  State state_;
  uint64_t left_ = 0;
  std::string line_;
  size_t trailer_lines_ = 0;
};

}  // namespace skiff::networking::http
