#include "images/registry/challenge.h"

#include <algorithm>

#include "images/registry/limits.h"

namespace skiff::images::registry {
namespace {

Error Malformed() { return Error(Code::kInvalid, "malformed WWW-Authenticate header"); }

bool IsTokenCharacter(char c) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kMarks.find(c) != std::string_view::npos;
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool AtEnd() const { return at_ == text_.size(); }
  bool Take(char c) {
    if (AtEnd() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void SkipSpace() {
    while (!AtEnd() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  void SkipSeparators() {
    for (SkipSpace(); Take(','); SkipSpace()) {
    }
  }
  // In lower case; "" when there is none.
  std::string TakeToken() {
    std::string token;
    for (; !AtEnd() && IsTokenCharacter(text_[at_]); ++at_) {
      char c = text_[at_];
      token += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return token;
  }
  Result<std::string> TakeValue() {
    if (!Take('"')) {
      size_t begin = at_;
      while (!AtEnd() && IsTokenCharacter(text_[at_])) ++at_;
      return std::string(text_.substr(begin, at_ - begin));
    }
    std::string value;
    while (!AtEnd()) {
      char c = text_[at_++];
      if (c == '"') return value;
      if (c == '\\') {
        if (AtEnd()) break;
        c = text_[at_++];
      }
      if (static_cast<unsigned char>(c) < ' ' || c == 127) break;
      value += c;
    }
    return Malformed();
  }
  size_t position() const { return at_; }
  void Return(size_t position) { at_ = position; }

 private:
  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

std::string Challenge::Find(std::string_view name) const {
  for (const auto& [key, value] : parameters) {
    if (key == name) return value;
  }
  return "";
}

Result<std::vector<Challenge>> ParseChallenges(std::string_view header) {
  if (header.size() > kMaxChallenge) return Malformed();
  Scanner scanner(header);
  std::vector<Challenge> challenges;
  for (;;) {
    scanner.SkipSeparators();
    if (scanner.AtEnd()) break;
    // A parameter of the challenge at hand, or the scheme of the next.
    size_t begin = scanner.position();
    std::string name = scanner.TakeToken();
    scanner.SkipSpace();
    if (!name.empty() && scanner.Take('=') && !challenges.empty()) {
      scanner.SkipSpace();
      auto& parameters = challenges.back().parameters;
      if (parameters.size() == kMaxChallengeParameters) return Malformed();
      std::string value = TRY(scanner.TakeValue());
      parameters.emplace_back(std::move(name), std::move(value));
      continue;
    }
    scanner.Return(begin);
    std::string scheme = scanner.TakeToken();
    bool is_scheme = !scheme.empty() && (scanner.AtEnd() || scanner.Take(' ') || scanner.Take(','));
    if (!is_scheme || challenges.size() == kMaxChallengeParameters) return Malformed();
    challenges.push_back({std::move(scheme), {}});
  }
  if (challenges.empty()) return Malformed();
  return challenges;
}

}  // namespace skiff::images::registry
