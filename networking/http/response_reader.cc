#include "networking/http/response_reader.h"

#include <algorithm>

#include "isolation/base/text.h"
#include "networking/http/limits.h"

namespace skiff::networking::http {
namespace {

constexpr uint64_t kMaxLength = INT64_MAX;

Error Malformed(std::string_view what) {
  return Error(Code::kInvalid, "malformed answer: " + std::string(what));
}

bool IsToken(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

bool IsValue(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != 127);
  });
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

// "HTTP/1.1 200 OK"
Result<int> ParseStatusLine(std::string_view line, bool* is_old) {
  *is_old = line.starts_with("HTTP/1.0 ");
  if (!*is_old && !line.starts_with("HTTP/1.1 "))
    return Malformed("it does not begin with HTTP/1.1");
  std::optional<uint64_t> status = ParseUint(line.substr(9, 3), 599);
  bool is_ended = line.size() == 12 || (line.size() > 12 && line[12] == ' ');
  if (!status || *status < 100 || !is_ended) return Malformed("its status is not a number");
  return static_cast<int>(*status);
}

Result<> ApplyFraming(const Header& header, ResponseHead* head) {
  std::string name = Lower(header.name);
  if (name == "content-length") {
    std::optional<uint64_t> length = ParseUint(header.value, kMaxLength);
    if (!length) return Malformed("its Content-Length is not a number");
    if (head->content_length && head->content_length != length) {
      return Malformed("it has two Content-Lengths");
    }
    head->content_length = length;
  } else if (name == "transfer-encoding") {
    if (head->is_chunked || Lower(header.value) != "chunked") {
      return Malformed("its Transfer-Encoding is not understood");
    }
    head->is_chunked = true;
  } else if (name == "connection") {
    std::string value = Lower(header.value);
    for (std::string_view option : Split(value, ',')) {
      if (TrimSpace(option) == "close") head->is_keep_alive = false;
      if (TrimSpace(option) == "keep-alive") head->is_keep_alive = true;
    }
  }
  return {};
}

// Lines may end with a bare LF, as every client takes it.
std::string_view TakeLineOf(std::string_view* text) {
  size_t end = std::min(text->find('\n'), text->size());
  std::string_view line = text->substr(0, end);
  text->remove_prefix(std::min(end + 1, text->size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

const std::string* ResponseHead::Find(std::string_view name) const {
  std::string wanted = Lower(name);
  for (const Header& header : headers) {
    if (Lower(header.name) == wanted) return &header.value;
  }
  return nullptr;
}

Result<ResponseHead> ParseResponseHead(std::string_view text) {
  ResponseHead head;
  bool is_old = false;
  head.status = TRY(ParseStatusLine(TakeLineOf(&text), &is_old));
  head.is_keep_alive = !is_old;
  while (!text.empty()) {
    std::string_view line = TakeLineOf(&text);
    if (line.empty() && text.empty()) break;  // the empty line at the end
    size_t colon = line.find(':');
    if (colon == std::string_view::npos || !IsToken(line.substr(0, colon))) {
      return Malformed("a header has no name");
    }
    Header header{std::string(line.substr(0, colon)),
                  std::string(TrimSpace(line.substr(colon + 1)))};
    if (!IsValue(header.value))
      return Malformed("header " + header.name + " has a control character");
    if (head.headers.size() == kMaxResponseHeaders) return Malformed("too many headers");
    TRY(ApplyFraming(header, &head));
    head.headers.push_back(std::move(header));
  }
  if (head.is_chunked && head.content_length) {
    return Malformed("it has a Content-Length and is chunked");
  }
  return head;
}

size_t FindEndOfHead(std::string_view text) {
  for (size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) {
    if (text.substr(at + 1).starts_with("\n")) return at + 2;
    if (text.substr(at + 1).starts_with("\r\n")) return at + 3;
  }
  return std::string_view::npos;
}

BodyReader::BodyReader(const ResponseHead& head, bool has_body) : state_(State::kDone) {
  if (!has_body) return;
  if (head.is_chunked) {
    state_ = State::kChunkSize;
  } else if (!head.content_length) {
    state_ = State::kUntilEnd;
  } else if (*head.content_length > 0) {
    state_ = State::kLength;
    left_ = *head.content_length;
  }
}

// A complete line, without its end.
Result<> BodyReader::TakeLine(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  switch (state_) {
    case State::kChunkEnd:
      if (!line.empty()) return Malformed("a chunk is longer than it says");
      state_ = State::kChunkSize;
      return {};
    case State::kTrailer:
      if (line.empty()) state_ = State::kDone;
      if (++trailer_lines_ > kMaxResponseHeaders) return Malformed("too many trailers");
      return {};
    default:
      break;
  }
  std::string_view digits = TrimSpace(line.substr(0, line.find(';')));
  if (digits.empty() || digits.size() > 15) return Malformed("a chunk has no proper size");
  left_ = 0;
  for (char c : digits) {
    constexpr std::string_view kHex = "0123456789abcdef";
    size_t value = kHex.find(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
    if (value == std::string_view::npos) return Malformed("a chunk's size is not a number");
    left_ = left_ * 16 + value;
  }
  state_ = left_ == 0 ? State::kTrailer : State::kChunk;
  return {};
}

Result<std::string_view> BodyReader::Feed(std::string_view* input) {
  if (state_ == State::kDone || input->empty()) return std::string_view();
  if (state_ == State::kUntilEnd) return std::exchange(*input, {});
  if (state_ == State::kLength || state_ == State::kChunk) {
    std::string_view piece =
        input->substr(0, static_cast<size_t>(std::min<uint64_t>(left_, input->size())));
    input->remove_prefix(piece.size());
    left_ -= piece.size();
    if (left_ == 0) state_ = state_ == State::kChunk ? State::kChunkEnd : State::kDone;
    return piece;
  }
  size_t end = input->find('\n');
  std::string_view part = input->substr(0, end);
  if (line_.size() + part.size() > kMaxChunkLine)
    return Malformed("a line between chunks is too long");
  line_ += part;
  if (end == std::string_view::npos) {
    input->remove_prefix(input->size());
    return std::string_view();
  }
  input->remove_prefix(end + 1);
  std::string line = std::exchange(line_, {});
  TRY(TakeLine(line));
  return std::string_view();
}

Result<> BodyReader::EndOfInput() {
  if (state_ == State::kUntilEnd) state_ = State::kDone;
  if (state_ == State::kDone) return {};
  return Error(Code::kUnavailable, "the connection ended in the middle of the answer");
}

}  // namespace skiff::networking::http
