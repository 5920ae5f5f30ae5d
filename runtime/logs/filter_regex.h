// The regular expressions of filter patterns (%...%): characters, '.', [sets], \d \w \s and their
// opposites, ^, $, the repetitions ? * + {n} {n,} {n,m}, and '|' between alternatives; no groups.
// Matching takes time in proportion to the text, whatever the pattern. Pure; any thread.
#pragma once

#include <bitset>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"

namespace skiff::runtime {

class FilterRegex {
 public:
  static Result<FilterRegex> Parse(std::string_view pattern);
  bool Matches(std::string_view text) const;  // anywhere in it

 private:
  using Set = std::bitset<256>;
  // One place in an alternative: a byte of `set`, which may be left out or repeated.
  struct Atom {
    Set set;
    bool may_skip = false;
    bool may_repeat = false;
  };
  struct Alternative {
    std::vector<Atom> atoms;
    bool from_start = false;
    bool to_end = false;
  };
  class Parser;
  static bool MatchesOne(const Alternative& alternative, std::string_view text);
  std::vector<Alternative> alternatives_;
};

}  // namespace skiff::runtime
