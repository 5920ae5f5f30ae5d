// What is to be seen of layers on their way: at a terminal a bar for each that is at work, written
// over as it grows and followed by a line that stays; otherwise a line when one is done, and no
// control characters. One thread at a time.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "images/store.h"

namespace skiff::tools {

class LayerProgress {
 public:
  // `done`: what has become of a layer in the end ("pulled").
  LayerProgress(std::string done, bool is_terminal)
      : done_(std::move(done)), is_terminal_(is_terminal) {}

  void Show(const images::ImportProgress& progress);
  // What is still at work disappears, so that what is printed next stands alone. At the end.
  void Clear();

 private:
  std::string Line(const images::ImportProgress& progress) const;
  std::string EraseDrawn(size_t columns);
  void Draw(const std::string& stays);

  const std::string done_;
  const bool is_terminal_;
  std::map<size_t, std::string> bars_;  // by layer: those at work
  std::map<size_t, std::string> said_;  // by layer: what stays
  std::vector<size_t> drawn_;           // lengths of the lines that the next drawing replaces
};

}  // namespace skiff::tools
