#include "runtime/logs/filter_regex.h"

#include <algorithm>
#include <optional>
#include <string>

#include "runtime/logs/limits.h"

namespace skiff::runtime {
namespace {

std::bitset<256> Class(bool (*holds)(int)) {
  std::bitset<256> set;
  for (int c = 0; c < 256; ++c) set[static_cast<size_t>(c)] = holds(c);
  return set;
}

bool IsDigit(int c) { return c >= '0' && c <= '9'; }
bool IsWord(int c) {
  return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool IsSpace(int c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

Error Bad(const std::string& why) { return Error(Code::kInvalid, "regular expression: " + why); }

}  // namespace

class FilterRegex::Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<std::vector<Alternative>> All() {
    std::vector<Alternative> all;
    do {
      Alternative one = TRY(One());
      all.push_back(std::move(one));
    } while (Take('|'));
    return all;
  }

 private:
  bool Take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  Result<Alternative> One() {
    Alternative one;
    one.from_start = Take('^');
    while (at_ < text_.size() && text_[at_] != '|') {
      if (Take('$')) {
        one.to_end = true;
        if (at_ < text_.size() && text_[at_] != '|') return Bad("'$' stands at the end");
        break;
      }
      Set set = TRY(Single());
      TRY(Repeat(set, one.atoms));
      if (one.atoms.size() > kMaxRegexAtoms) return Bad("too long");
    }
    return one;
  }

  Result<Set> Single() {
    char c = text_[at_++];
    if (c == '[') return Bracket();
    if (c == '\\') return Escape();
    if (c == '.') return Set().set();
    if (std::string_view("()*+?{}^]").find(c) != std::string_view::npos) {
      return Bad(std::string("'") + c + "' is not supported here");
    }
    return Only(c);
  }

  static Set Only(char c) {
    Set set;
    set.set(static_cast<unsigned char>(c));
    return set;
  }

  Result<Set> Escape() {
    if (at_ >= text_.size()) return Bad("ends in '\\'");
    char c = text_[at_++];
    if (c == 'd') return Class(IsDigit);
    if (c == 'D') return ~Class(IsDigit);
    if (c == 'w') return Class(IsWord);
    if (c == 'W') return ~Class(IsWord);
    if (c == 's') return Class(IsSpace);
    if (c == 'S') return ~Class(IsSpace);
    if (c == 't') return Only('\t');
    if (IsWord(static_cast<unsigned char>(c))) {
      return Bad(std::string("'\\") + c + "' is not supported");
    }
    return Only(c);
  }

  Result<Set> Bracket() {
    bool is_negated = Take('^');
    Set set;
    bool is_first = true;
    while (is_first || !Take(']')) {
      is_first = false;
      if (at_ >= text_.size()) return Bad("'[' is not closed");
      char low = text_[at_++];
      if (low == '\\') {
        set |= TRY(Escape());
      } else if (at_ + 1 < text_.size() && text_[at_] == '-' && text_[at_ + 1] != ']') {
        char high = text_[at_ + 1];
        at_ += 2;
        auto from = static_cast<unsigned char>(low);
        auto to = static_cast<unsigned char>(high);
        if (from > to) return Bad("a range runs backwards");
        for (unsigned b = from; b <= to; ++b) set.set(b);
      } else {
        set |= Only(low);
      }
    }
    return is_negated ? ~set : set;
  }

  Result<> Repeat(const Set& set, std::vector<Atom>& atoms) {
    size_t min = 1;
    std::optional<size_t> max = 1;
    if (Take('?')) {
      min = 0;
    } else if (Take('*')) {
      min = 0;
      max.reset();
    } else if (Take('+')) {
      max.reset();
    } else if (Take('{')) {
      min = TRY(Count());
      max = min;
      if (Take(',')) {
        max.reset();
        if (at_ < text_.size() && text_[at_] != '}') max = TRY(Count());
      }
      if (!Take('}') || (max && *max < min)) return Bad("a repetition is malformed");
    }
    for (size_t i = 0; i < min; ++i) atoms.push_back({set, false, false});
    if (!max) {
      atoms.push_back({set, true, true});
    } else {
      for (size_t i = min; i < *max; ++i) atoms.push_back({set, true, false});
    }
    return {};
  }

  Result<size_t> Count() {
    size_t begin = at_;
    size_t count = 0;
    while (at_ < text_.size() && IsDigit(text_[at_]) && count <= kMaxRegexRepeat) {
      count = count * 10 + static_cast<size_t>(text_[at_++] - '0');
    }
    if (at_ == begin || count > kMaxRegexRepeat) return Bad("a repetition is malformed");
    return count;
  }

  std::string_view text_;
  size_t at_ = 0;
};

Result<FilterRegex> FilterRegex::Parse(std::string_view pattern) {
  FilterRegex regex;
  regex.alternatives_ = TRY(Parser(pattern).All());
  return regex;
}

bool FilterRegex::Matches(std::string_view text) const {
  return std::any_of(alternatives_.begin(), alternatives_.end(),
                     [&](const Alternative& one) { return MatchesOne(one, text); });
}

// Which atoms may come next, all at once: no way back, so no pattern is slow.
bool FilterRegex::MatchesOne(const Alternative& alternative, std::string_view text) {
  const std::vector<Atom>& atoms = alternative.atoms;
  std::vector<bool> here(atoms.size() + 1);
  std::vector<bool> next(atoms.size() + 1);
  for (size_t at = 0;; ++at) {
    if (at == 0 || !alternative.from_start) here[0] = true;
    for (size_t i = 0; i < atoms.size(); ++i) {
      if (here[i] && atoms[i].may_skip) here[i + 1] = true;
    }
    if (here[atoms.size()] && (!alternative.to_end || at == text.size())) return true;
    if (at == text.size()) return false;
    std::fill(next.begin(), next.end(), false);
    for (size_t i = 0; i < atoms.size(); ++i) {
      if (!here[i] || !atoms[i].set[static_cast<unsigned char>(text[at])]) continue;
      next[i + 1] = true;
      if (atoms[i].may_repeat) next[i] = true;
    }
    here.swap(next);
  }
}

}  // namespace skiff::runtime
