#include "tools/skiff/layer_progress.h"

#include "tools/skiff/terminal.h"

namespace skiff::tools {
namespace {

std::string Bar(uint64_t percent) {
  constexpr size_t kWidth = 25;
  size_t filled = static_cast<size_t>(percent) * kWidth / 100;
  return "[" + std::string(filled, '=') + std::string(kWidth - filled, ' ') + "]";
}

}  // namespace

void LayerProgress::Show(const images::ImportProgress& progress) {
  std::string line = Line(progress);
  bool is_percent = progress.step == images::ImportProgress::Step::kUnpacking;
  if (lines_.empty()) lines_.resize(progress.layers);
  std::string& known = lines_[progress.layer - 1];
  if (line == known || (is_percent && !is_terminal_)) return;
  known = line;
  if (!is_terminal_) return PrintError(line + "\n");
  // Over what was drawn before.
  std::string screen;
  if (is_drawn_) screen = "\033[" + std::to_string(lines_.size()) + "A";
  for (const std::string& text : lines_) screen += "\r\033[K" + text + "\n";
  is_drawn_ = true;
  PrintError(screen);
}

std::string LayerProgress::Line(const images::ImportProgress& progress) const {
  using Step = images::ImportProgress::Step;
  std::string line =
      "layer " + std::to_string(progress.layer) + " of " + std::to_string(progress.layers) + ": ";
  uint64_t percent = progress.total == 0 ? 100 : progress.done * 100 / progress.total;
  switch (progress.step) {
    case Step::kWaiting:
      return line + "waiting for another pull";
    case Step::kPresent:
      return line + "present";
    case Step::kUnpacking:
      return line + Bar(percent) + " " + std::to_string(percent) + " % of " +
             FormatSize(progress.total);
    case Step::kUnpacked:
      return line + done_ + ", " + FormatSize(progress.total);
  }
  return line;
}

}  // namespace skiff::tools
