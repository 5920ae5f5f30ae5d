// What is to be seen of layers on their way: at a terminal a line each that is written over,
// otherwise a line when one is done. One thread at a time.
#pragma once

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

 private:
  std::string Line(const images::ImportProgress& progress) const;

  const std::string done_;
  const bool is_terminal_;
  bool is_drawn_ = false;
  std::vector<std::string> lines_;
};

}  // namespace skiff::tools
